"""The contents of a results folder."""
