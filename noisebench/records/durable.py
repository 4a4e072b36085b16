"""Files that appear whole or not at all."""

import contextlib
import os
import stat
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

RETRY_SECONDS = (0.1, 0.5, 2.0, 5.0, 10.0, 20.0)

Written = TypeVar("Written")


def patiently(write: Callable[[], Written]) -> Written:
    """Call `write`; try a full or failing file system again for about 40 seconds, then raise its OSError."""
    for pause in RETRY_SECONDS:
        try:
            return write()
        except OSError:
            time.sleep(pause)
    return write()


def write_durably(path: Path, data: bytes, unless: Callable[[], bool] = lambda: False) -> bool:
    """Put `data` at `path` so that readers see the old file or the new one, also after a power cut.

    Where `unless`, asked once the data are on the disk, returns true, the old file stays. Return whether the
    file was written.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if unless():
            return False
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def remove_leftovers(path: Path, seconds: float) -> None:
    """Remove what writers of `path` left beside it when they were killed: nothing written for so long.

    Ages are by the clock of the file system, counted back from `path`, which must have just been written.
    """
    now = path.stat().st_mtime
    for left in path.parent.glob(f".{path.name}.*"):
        with contextlib.suppress(FileNotFoundError):  # its writer lives, or another was here first
            if now - left.stat().st_mtime > seconds:
                left.unlink()


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable, as far as its file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make `folder` and its missing parents, each durable in the folder above it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def open_inside(root: Path, relative: str) -> BinaryIO:
    """Open the regular file at `relative` below the folder `root` for reading.

    No symbolic link below `root` is followed, so the file is one of this folder. Raises OSError where it is
    a link, missing, or no regular file, and where `relative` leads out of the folder.
    """
    *parents, name = relative.split("/")
    if ".." in (*parents, name):
        raise OSError(f"{relative!r} leads out of {root}")
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for parent in parents:
            inner = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        # Without O_NONBLOCK, opening a FIFO waits for a writer.
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{root / relative}: is no regular file")
    return os.fdopen(descriptor, "rb")
