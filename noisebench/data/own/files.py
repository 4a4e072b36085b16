"""The files of kept own data: `data/<content>/NAME`, opened without following a link there.

Others may be able to write into a shared results folder. A link in place of a file, or of the folder of a
content, leads nowhere; `data` itself may be a link of the user, to a larger disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from noisebench.errors import EnvironmentFault
from noisebench.records.durable import folder_inside, make_folder, open_inside


def own_root(root: Path) -> Path:
    """Return where the folder of own data is: itself, or what a link of this user or of root leads to.

    Raises EnvironmentFault for a link of another user.
    """
    try:
        status = root.lstat()
    except FileNotFoundError:
        return root
    if not stat.S_ISLNK(status.st_mode):
        return root
    if status.st_uid not in (os.geteuid(), 0):
        raise EnvironmentFault(
            f"{root}: is a link of another user, who could lead you anywhere; replace it with a folder"
        )
    return root.resolve()


@contextmanager
def opened(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Open a file of a content's folder for reading; raises OSError as `open_inside` does.

    Data with planted errors share files by hard links; a checksum tells whether they are what was kept.
    """
    with open_inside(folder.parent, f"{folder.name}/{name}", hard_links=True) as file:
        yield file


@contextmanager
def created(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Open a new file in a content's folder, in place of a former one, of a link or of a pipe."""
    with inside(folder) as place:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(name, flags, 0o666, dir_fd=place)
    with os.fdopen(descriptor, "w+b") as file:
        yield file


@contextmanager
def continued(folder: Path, name: str, size: int) -> Iterator[BinaryIO]:
    """Open a file of `size` bytes for changes: what a killed process left, else a new one of zeros."""
    with inside(folder) as place:
        try:
            descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
        except OSError:  # none yet, or no file of ours
            descriptor = -1
    if descriptor >= 0:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_size == size:
            with os.fdopen(descriptor, "r+b") as file:
                yield file
            return
        os.close(descriptor)
    with created(folder, name) as file:
        file.truncate(size)
        yield file


@contextmanager
def inside(folder: Path) -> Iterator[int]:
    """Open the folder of a content, which is made where it is missing; yield its descriptor."""
    make_folder(folder.parent)
    with folder_inside(folder.parent, folder.name, make=True) as place:
        yield place
