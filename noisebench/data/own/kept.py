"""What is kept of own data in `data/<content>/`: its files, their checksum, and how trials read them.

`values.bin` (uint8 [N, C, H, W] or float32 [N, D, 1, 1]), `labels.npy`, `groups.npy`, `digests.npy` and
`about.json`, which is written last. `cache` writes them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noisebench.data.own.source import Labels, Source
from noisebench.errors import DataError
from noisebench.records.durable import write_durably

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


def keep_planted(own: OwnData, planted: Labels, kinds: npt.NDArray[np.int8]) -> str:
    """Keep the data with planted labels int64 [N] and the kinds of plants [N]; return their content."""
    digest = hashlib.sha256(f"{own.content} planted".encode() + planted.astype("<i8").tobytes())
    content = digest.hexdigest()[:16]
    folder = own.folder.with_name(content)
    if about_of(folder) is None:
        folder.mkdir(exist_ok=True)
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
            (folder / name).hardlink_to(own.folder / name)
        np.save(folder / "planted.npy", planted)
        np.save(folder / "kinds.npy", kinds)
        write_durably(folder / "about.json", (own.folder / "about.json").read_bytes())
    return content


def read(root: Path | None, content: str) -> Kept:
    """Return the data of this content.

    Raises DataError if they are not there.
    """
    about = None if root is None else about_of(root / content)
    if root is None or about is None:
        raise DataError(
            f"own data {content} are not in {root or 'a results folder'}: run `noisebench detect DATA` "
            "there, with the data of this sweep"
        )
    folder = root / content
    labels, groups = np.load(folder / "labels.npy"), np.load(folder / "groups.npy")
    planted = np.load(folder / "planted.npy") if (folder / "planted.npy").is_file() else None
    return Kept(mapped(folder, about), labels, groups, len(about.classes), planted)


def mapped(folder: Path, about: About) -> npt.NDArray[Any]:
    """Return the values [N, C, H, W], mapped into memory; raise DataError where they are damaged."""
    path = folder / "values.bin"
    try:
        # Copy on write: torch warns about arrays that it must not write to.
        return np.memmap(path, np.dtype(about.dtype), "c", shape=about.shape)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: damaged ({error}); remove {folder}, and run `noisebench detect` again"
        ) from None


def about_of(folder: Path) -> About | None:
    """Return what `about.json` says, None where it is missing or damaged."""
    try:
        fields = json.loads((folder / "about.json").read_text(encoding="utf-8"))
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


def checksum(folder: Path) -> str:
    """Return the checksum of the files, as hex; raise OSError where one cannot be read."""
    digest = hashlib.sha256()
    for name in _FILES:
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
