"""The training of surrogate models."""
