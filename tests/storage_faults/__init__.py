"""A full, failing or read-only file system at any one system call of a command.

`python -m tests.storage_faults --every N` runs it: every N-th call, all errors, once and lasting.
"""
