"""A folder with one sub-folder for each class, images at any depth."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from noisebench.data.own.named_files import refuse_foreign_links
from noisebench.data.own.source import Source, indexed
from noisebench.errors import InputError
from noisebench.sweep.image_files import ENDINGS


def read_folder(folder: Path) -> Source:
    """Return the images below a folder; the first folder in a path is its class.

    Classes and files are in sorted order. Hidden files and folders, such as .ipynb_checkpoints, are skipped.
    """
    classes = sorted(path for path in _visible(folder) if path.is_dir())
    if not classes:
        raise InputError(
            f"{folder}: has no sub-folder; it must have one sub-folder of images for each class, such as "
            f"{folder.name}/cat and {folder.name}/dog"
        )
    paths: list[Path] = []
    labels: list[str] = []
    others = sum(path.is_file() for path in _visible(folder))
    for members in classes:
        files = sorted(_files(members))
        images = [file for file in files if file.suffix.lower() in ENDINGS]
        if not images:
            known = ", ".join(ENDINGS)
            raise InputError(f"{members}: holds no image ({known}); add images, or move the folder away")
        others += len(files) - len(images)
        paths += images
        labels += [as_text(members.name)] * len(images)
    refuse_foreign_links(str(folder), paths, folder)
    names, indices = indexed(labels)
    note = f"{others} files of {folder} are no images in the folder of a class, and are left out"
    return Source(
        name=str(folder),
        ids=tuple(as_text(path.relative_to(folder).as_posix()) for path in paths),
        labels=indices,
        classes=names,
        paths=tuple(paths),
        notes=(note,) if others else (),
    )


def as_text(name: str) -> str:
    r"""Return a file name as valid text: bytes that are not UTF-8 become escapes such as \xe9."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in files if not name.startswith("."))
