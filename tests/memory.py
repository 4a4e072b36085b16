"""Temporary files in memory, for long campaigns."""

import os
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")


def keep_temporary_files_in_memory() -> None:
    """Set TMPDIR to a file system in memory where there is one, unless it is set; before any other work.

    A campaign that checks no disk otherwise spends most of its time in fsync.
    """
    if os.access(_IN_MEMORY, os.W_OK):
        os.environ.setdefault("TMPDIR", str(_IN_MEMORY))
