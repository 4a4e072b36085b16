"""The papers' figures, one module a kind of picture."""
