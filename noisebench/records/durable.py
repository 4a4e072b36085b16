"""Atomic, durable file writes."""

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
    """Call `write`; after an OSError, retry for about 40 seconds, then raise it."""
    for pause in RETRY_SECONDS:
        try:
            return write()
        except OSError:
            time.sleep(pause)
    return write()


def write_durably(path: Path, data: bytes, unless: Callable[[], bool] = lambda: False) -> bool:
    """Replace the file at `path` by `data` atomically, even across a power cut.

    `unless` is called once the data are on the disk; if it returns true, the old file stays. Return whether
    the file was written.
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
    """Remove temporary files of killed writers of `path` that are older than `seconds`.

    Ages are relative to the modification time of `path`, so `path` must have just been written. This avoids
    comparing the file system's clock with the machine's.
    """
    now = path.stat().st_mtime
    for leftover in path.parent.glob(f".{path.name}.*"):
        with contextlib.suppress(FileNotFoundError):  # renamed by its writer, or removed by another process
            if now - leftover.stat().st_mtime > seconds:
                leftover.unlink()


def sync_folder(folder: Path) -> None:
    """Sync the directory entries of `folder`."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create `folder` and its missing parents durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def open_inside(root: Path, relative: str) -> BinaryIO:
    """Open the regular file at `relative` below the folder `root` for reading.

    Symbolic links below `root` are not followed. Raises OSError if the file is missing, a link or not a
    regular file, if `relative` leads out of the folder, or if the file has another name, a hard link, and
    others may write into its folder: they may have put a private file of yours there.
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
        fault = _fault(os.fstat(descriptor), os.fstat(folder))
    finally:
        os.close(folder)
    if fault is not None:
        os.close(descriptor)
        raise OSError(f"{root / relative}: {fault}")
    # A journal's lines are longer than Python's default buffer.
    return os.fdopen(descriptor, "rb", buffering=1 << 17)


def read_inside(root: Path, relative: str) -> bytes:
    """Return the content of the file at `relative` below `root`; raises OSError as `open_inside` does."""
    with open_inside(root, relative) as file:
        return file.read()


def _fault(file: os.stat_result, folder: os.stat_result) -> str | None:
    """Return why a file must not be read from its folder, None if it may be."""
    if not stat.S_ISREG(file.st_mode):
        return "is no regular file"
    is_shared = folder.st_uid != os.getuid() or folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if file.st_nlink > 1 and is_shared:
        return "has a hard link, and others can write into its folder; replace it with a copy"
    return None
