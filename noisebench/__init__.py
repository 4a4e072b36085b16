"""noisebench: label-error detection experiments, from a YAML sweep to a table of mean ± std."""

__version__ = "0.1.0"
