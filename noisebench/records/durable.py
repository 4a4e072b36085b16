"""Files that appear whole or not at all."""

import contextlib
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

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


def write_durably(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that readers see the old file or the new one, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


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
