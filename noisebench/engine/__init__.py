"""How trials are run."""
