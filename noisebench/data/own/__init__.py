"""A user's own data: read, checked, decoded once, kept in the results folder."""
