"""Errors of the file system at the k-th call that changes, or reads, a results folder or a new database."""

import ctypes
import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
_SOURCE = Path(__file__).with_name("failing_calls.c")
_LIBRARY = "NOISEBENCH_FAILING_CALLS"
# Where databases are built, beside other temporary files.
_BUILDS = "noisebench-"


def restart_with_library(arguments: list[str]) -> None:
    """Start this process again with `failing_calls.c` loaded before libc, unless it is."""
    if _LIBRARY in os.environ:
        return
    library = Path(tempfile.mkdtemp()) / "failing_calls.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, _SOURCE, "-ldl"], check=True)
    loaded = {"LD_PRELOAD": str(library), _LIBRARY: str(library)}
    os.execve(sys.executable, [sys.executable, *arguments], {**os.environ, **loaded})


def remove_library() -> None:
    """Remove the compiled library; this process keeps it in memory."""
    library = Path(os.environ[_LIBRARY])
    library.unlink()
    library.parent.rmdir()


@dataclass
class Injection:
    """Raises `number` at call `at` (from 1) below `root`, and, if `lasting`, at all later ones; 0 at none.

    Of calls that change files or, with `reading`, of those that read or look. `calls` is how many there were.
    """

    root: Path
    at: int
    number: int
    lasting: bool
    reading: bool = False
    calls: int = field(default=0)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let the calls of this process fail in the block."""
        library = ctypes.CDLL(None)
        builds = Path(tempfile.gettempdir()) / _BUILDS
        library.begin(bytes(self.root), bytes(builds), self.reading, self.at, self.number, self.lasting)
        try:
            yield
        finally:
            self.calls = library.end()
