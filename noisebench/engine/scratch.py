"""Private folders on a node's own disk, removed in the end even if their owner was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Ray puts sockets into its folder, and a socket's path has at most 107 bytes.
_MAX_LENGTH = 40
_PREFIX = "noisebench-"
_OWNER = "owner"


@contextmanager
def private_scratch(parent: Path | None = None) -> Iterator[Path]:
    """Yield a new folder, open to this user alone; remove it afterwards.

    It lies in `parent`, by default where TMPDIR says, or in /tmp where that would be too deep for Ray's
    sockets. What killed processes of this user left behind there is removed as well.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    if parent is None and len(str(folder)) > _MAX_LENGTH:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp"))
    _remove_abandoned(folder.parent)
    # The lock dies with this process and, unlike its number, means the same in every container. It is held
    # before the file has its name, so that nobody ever sees it free.
    with (folder / f"{_OWNER}.new").open("w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        Path(owner.name).rename(folder / _OWNER)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    for file in parent.glob(f"{_PREFIX}*/{_OWNER}"):
        with suppress(OSError):  # still held, another user's, or gone by now
            if file.stat().st_uid == os.getuid():
                with file.open("r+") as owner:
                    fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(file.parent, ignore_errors=True)
