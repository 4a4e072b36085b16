"""One trial, end to end."""
