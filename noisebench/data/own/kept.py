"""What is kept of own data in `data/<content>/`: its files, their checksum, and how trials read them.

`values.bin` (uint8 [N, C, H, W] or float32 [N, D, 1, 1]), `labels.npy`, `groups.npy`, `digests.npy` and
`about.json`, which is written last. `cache` writes them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noisebench.data.own.files import created, inside, opened, own_root
from noisebench.data.own.source import Labels, Source
from noisebench.errors import DataError
from noisebench.records.durable import write_inside

Digest = Callable[[Path], bytes]

# The files of the checksum.
_FILES = ("values.bin", "labels.npy", "groups.npy", "digests.npy")


@dataclass(frozen=True)
class About:
    """What `about.json` says: the shape [N, C, H, W] of the values, their type, their checksum.

    `broken` has (id, reason) of each file that was left out.
    """

    format: int
    samples: int
    channels: int
    height: int
    width: int
    dtype: str
    classes: tuple[str, ...]
    sha256: str
    broken: tuple[tuple[str, str], ...] = ()

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of the values, [N, C, H, W]."""
        return self.samples, self.channels, self.height, self.width


@dataclass(frozen=True)
class OwnData:
    """Own data that trials can read.

    `source` has the samples without broken files; `sha256` names the content of each by its file or row;
    `digests` has the hash of each sample's decoded values, as hex.
    """

    content: str
    folder: Path
    about: About
    source: Source
    sha256: tuple[str, ...]
    digests: tuple[str, ...]

    def values(self) -> npt.NDArray[Any]:
        """Return the values [N, C, H, W], mapped into memory."""
        return mapped(self.folder, self.about)


@dataclass(frozen=True)
class Kept:
    """What a trial reads: values [N, C, H, W] mapped into memory, labels and fold groups int64 [N].

    `planted` int64 [N] are the labels with planted errors, if these are data with plants.
    """

    values: npt.NDArray[Any]
    labels: Labels
    groups: Labels
    classes: int
    planted: Labels | None = None


def keep_planted(data: OwnData, planted: Labels, kinds: npt.NDArray[np.int8]) -> str:
    """Keep the data with planted labels int64 [N] and the kinds of plants [N]; return their content."""
    content = _planted_content(data.content, planted)
    folder = data.folder.with_name(content)
    if about_of(folder) is None:
        with inside(data.folder) as source, inside(folder) as target:
            for name in _FILES:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=target)
                os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        with created(folder, "planted.npy") as file:
            np.save(file, planted)
        with created(folder, "kinds.npy") as file:
            np.save(file, kinds)
        with created(folder, "planted-of") as file:
            file.write(data.content.encode())
        with opened(data.folder, "about.json") as file:
            about = file.read()
        write_inside(folder.parent, f"{folder.name}/about.json", about)
    return content


def _planted_content(original: str, planted: Labels) -> str:
    """Return the content of data with planted labels int64 [N], made of the data of content `original`."""
    digest = hashlib.sha256(f"{original} planted".encode() + planted.astype("<i8").tobytes())
    return digest.hexdigest()[:16]


def read(root: Path | None, content: str) -> Kept:
    """Return the data of this content.

    All files are compared with their checksum; a file that has not changed since is not read again by this
    process. Raises DataError if the data are not there, or if their files differ from what was kept.
    """
    root = None if root is None else own_root(root)
    about = None if root is None else about_of(root / content)
    if root is None or about is None:
        raise DataError(
            f"own data {content} are not in {root or 'a results folder'}: run `noisebench detect DATA` "
            "there, with the data of this sweep"
        )
    folder = root / content
    fault = problem(folder, about, _cached_digest)
    if fault is not None:
        raise DataError(f"{folder}: {fault}; remove the folder, and run `noisebench detect` again")
    labels, groups, planted = (array(folder, f"{name}.npy") for name in ("labels", "groups", "planted"))
    return Kept(mapped(folder, about), labels, groups, len(about.classes), planted)


def array(folder: Path, name: str) -> Any:
    """Return an array of a content's folder, None if there is no such file; raise OSError or ValueError."""
    try:
        with opened(folder, name) as file:
            return np.load(file, allow_pickle=False)
    except FileNotFoundError:
        return None


def mapped(folder: Path, about: About) -> npt.NDArray[Any]:
    """Return the values [N, C, H, W], mapped into memory; raise DataError where they are damaged."""
    try:
        with opened(folder, "values.bin") as file:
            # Copy on write: torch warns about arrays that it must not write to.
            return np.memmap(file, np.dtype(about.dtype), "c", shape=about.shape)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder / 'values.bin'}: damaged ({error}); remove {folder}, and run `noisebench detect` again"
        ) from None


def about_of(folder: Path) -> About | None:
    """Return what `about.json` says, None where it is missing or damaged."""
    try:
        with opened(folder, "about.json") as file:
            fields = json.loads(file.read())
        fields["classes"] = tuple(fields["classes"])
        fields["broken"] = tuple((name, reason) for name, reason in fields["broken"])
        return About(**fields)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def complete(folder: Path) -> About | None:
    """Return what `about.json` says if the files have its checksum, else None: they are written again."""
    about = about_of(folder)
    try:
        return about if about is not None and about.sha256 == checksum(folder) else None
    except OSError:
        return None


def problem(folder: Path, about: About, digest: Digest) -> str | None:
    """Return how the files differ from what was kept, None where they are the same.

    `digest` gives the sha256 of a file.
    """
    try:
        if checksum(folder, digest) != about.sha256:
            return f"{', '.join(_FILES)} are not as they were kept: their checksum differs"
        # Older versions did not note of which data these are, so their plants cannot be checked.
        with suppress(FileNotFoundError), opened(folder, "planted-of") as file:
            planted = array(folder, "planted.npy")
            if planted is None or _planted_content(file.read().decode(), planted) != folder.name:
                return "planted.npy is not as it was kept"
    except (OSError, ValueError) as error:
        return f"damaged ({error})"
    return None


def problems(root: Path) -> dict[str, str]:
    """Return the problem of each kept data set below `root` whose files differ, by its content."""
    root = own_root(root)
    folders = sorted(root.iterdir()) if root.is_dir() else []
    faults = {}
    for folder in folders:
        about = about_of(folder)
        if about is None and os.path.lexists(folder / "about.json"):
            faults[folder.name] = "about.json is damaged"
        elif about is not None and (fault := problem(folder, about, _digest)):
            faults[folder.name] = fault
    return faults


def checksum(folder: Path, digest: Digest | None = None) -> str:
    """Return the checksum of the files, as hex; raise OSError where one cannot be read."""
    whole = hashlib.sha256()
    for name in _FILES:
        whole.update((digest or _digest)(folder / name))
    return whole.hexdigest()


def _digest(path: Path) -> bytes:
    with opened(path.parent, path.name) as file:
        return hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]


def _cached_digest(path: Path) -> bytes:
    """Return the sha256 of a file; a file that was hashed before is read again only if it has changed."""
    with opened(path.parent, path.name) as file:
        status = os.fstat(file.fileno())
    return _digest_at(path, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@lru_cache(maxsize=64)
def _digest_at(path: Path, _stamp: tuple[int, ...]) -> bytes:
    return _digest(path)
