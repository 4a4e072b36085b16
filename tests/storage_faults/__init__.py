"""A full, failing or read-only file system at any one call of a command, of Python's as of DuckDB's.

`python -m tests.storage_faults` runs every call, all errors, once and lasting; `--every N` every N-th call.
"""
