"""Which image files own data may name: a page of suspects shows them, and the page is shared."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from noisebench.data.own.source import named
from noisebench.errors import InputError


@dataclass(frozen=True)
class NamedFiles:
    """Files that are there; `outside` are those that are not below the folder of the data."""

    paths: tuple[Path, ...]
    outside: tuple[Path, ...]


def named_files(data: str, names: Sequence[str], folder: Path) -> NamedFiles:
    """Return the files by their names, relative to `folder` or absolute, without `.` and `..`.

    Raises InputError with the first names of which there is no file, and of those to which a link of another
    user leads. `data` is what the user named.
    """
    # Not resolved: a folder may be reached through links of the user's own.
    folder = Path(os.path.normpath(folder))
    paths = tuple(Path(os.path.normpath(folder / name)) for name in names)
    missing = [name for name, path in zip(names, paths, strict=True) if not _is_file(path)]
    if missing:
        raise InputError(
            f"{data}: {named(missing, 'file')} not found below {folder}; paths are relative to the table's "
            "folder, or to that of --root"
        )
    refuse_foreign_links(data, paths, folder)
    return NamedFiles(paths, tuple(path for path in paths if not path.is_relative_to(folder)))


def is_written_by_others(file: Path) -> bool:
    """Whether somebody else than this user or root has written the file, or could have."""
    status = file.stat()
    return status.st_uid not in (os.geteuid(), 0) or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def refuse_foreign_links(data: str, paths: Sequence[Path], folder: Path) -> None:
    """Raise InputError with the first files below `folder` to which only a link of another user leads.

    Who lays a link in shared data could show a private file of yours. A link is followed if it is yours or
    root's, or if what it leads to belongs to the owner of the link.
    """
    known = {folder: False}

    def is_foreign(path: Path) -> bool:
        if path not in known:
            above = path.is_relative_to(folder) and is_foreign(path.parent)
            known[path] = above or _is_foreign_link(path)
        return known[path]

    linked = [path for path in paths if is_foreign(path)]
    if linked:
        raise InputError(
            f"{data}: {named(linked, 'file')} behind a link of another user to what is not theirs; replace "
            "the links with copies"
        )


def _is_foreign_link(path: Path) -> bool:
    try:
        link = path.lstat()
        if not stat.S_ISLNK(link.st_mode):
            return False
        return link.st_uid not in (os.geteuid(), 0, path.stat().st_uid)
    except OSError:  # decoding names a file that cannot be read
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False
