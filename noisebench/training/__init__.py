"""Training of surrogate models."""
