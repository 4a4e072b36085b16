"""Private folders on a node's own disk; the next process removes those of killed owners."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from noisebench.records import provenance

# Ray puts sockets into this folder, and the path of a socket has at most 107 bytes.
_MAX_LENGTH = 40
_PREFIX = "noisebench-"
_OWNER = "owner"


@contextmanager
def private_scratch(parent: Path | None = None) -> Iterator[Path]:
    """Yield a new folder with mode 0700; remove it afterwards.

    It is made in `parent`, by default TMPDIR, or in /tmp if that path is too long for Ray's sockets. Folders
    there that killed processes of this user left behind are removed as well.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    if parent is None and len(str(folder)) > _MAX_LENGTH:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp"))
    for abandoned in abandoned_folders(folder.parent):
        shutil.rmtree(abandoned, ignore_errors=True)
    # The lock ends with this process and, unlike its pid, is valid in every container. It is taken before the
    # file gets its name, so that no other process ever finds it free.
    with (folder / f"{_OWNER}.new").open("w") as owner:
        owner.write(provenance.host())
        owner.flush()
        with suppress(OSError):  # a file system without locks: the folder may be left behind
            fcntl.flock(owner, fcntl.LOCK_EX)
        Path(owner.name).rename(folder / _OWNER)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def abandoned_folders(parent: Path | None = None) -> Iterator[Path]:
    """Yield the folders of this user whose owners were killed; an owner's lock is held while it is looked at.

    They are looked for in `parent`, by default in TMPDIR and /tmp.
    """
    parents = {parent} if parent is not None else {Path(tempfile.gettempdir()), Path("/tmp")}
    for file in (file for each in sorted(parents) for file in each.glob(f"{_PREFIX}*/{_OWNER}")):
        with suppress(OSError):  # locked, owned by another user, or already removed
            if file.stat().st_uid == os.getuid():
                with file.open("r+") as owner:
                    # On a shared folder the locks of other machines may not be seen here.
                    if owner.read() != provenance.host():
                        continue
                    fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    yield file.parent
