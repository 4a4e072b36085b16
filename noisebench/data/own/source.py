"""What a user's own data hold before they are decoded, whatever their format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from noisebench.errors import InputError

Labels = npt.NDArray[np.int64]

MIN_SAMPLES = 10
# Image models have two convolutions of 3 pixels and a pooling of 2.
MIN_PIXELS = 8
# A message names this many samples; the others are counted.
MAX_NAMED = 5


@dataclass(frozen=True)
class Source:
    """N samples in a fixed order, each with an id and a label.

    `paths` has the file of each sample, else `values` has their contents: uint8 images [N, C, H, W] or
    float32 features [N, D]. `labels` int64 [N] index `classes`. Samples with an equal entry in `groups` int64
    [N], such as those of one patient, must not be in different folds. `notes` tell the user what was left
    out.
    """

    name: str
    ids: tuple[str, ...]
    labels: Labels
    classes: tuple[str, ...]
    paths: tuple[Path, ...] | None = None
    values: npt.NDArray[np.uint8] | npt.NDArray[np.float32] | None = None
    groups: Labels | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def has_features(self) -> bool:
        """Whether the samples are feature vectors."""
        return self.values is not None and self.values.ndim == 2

    def at(self, rows: npt.NDArray[np.int64]) -> Source:
        """Return the samples in these rows, in that order; classes that lose all their samples go."""
        kept, labels = np.unique(self.labels[rows], return_inverse=True)
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            labels=labels.astype(np.int64),
            classes=tuple(self.classes[label] for label in kept),
            paths=None if self.paths is None else tuple(self.paths[row] for row in rows),
            values=None if self.values is None else self.values[rows],
            groups=None if self.groups is None else self.groups[rows],
        )

    def relabelled(self, labels: Sequence[str]) -> Source:
        """Return the same samples with these labels, by name."""
        classes, indices = indexed(labels)
        return replace(self, labels=indices, classes=classes)


def indexed(names: Sequence[str]) -> tuple[tuple[str, ...], Labels]:
    """Return the sorted distinct names, numbers in numerical order, and the index int64 [N] of each name."""
    distinct = sorted(set(names), key=_order)
    positions = {name: index for index, name in enumerate(distinct)}
    return tuple(distinct), np.array([positions[name] for name in names], dtype=np.int64)


def checked(source: Source) -> Source:
    """Return the source; raise InputError if labels cannot be judged from it."""
    if len(source.classes) < 2:
        only = f", '{source.classes[0]}'" if source.classes else ""
        raise InputError(
            f"{source.name}: has {len(source.classes)} class{only}; a label can only be wrong if there are "
            "at least two classes"
        )
    if len(source.ids) < MIN_SAMPLES:
        raise InputError(f"{source.name}: has {len(source.ids)} samples; at least {MIN_SAMPLES} are needed")
    repeated = [name for name, count in Counter(source.ids).items() if count > 1]
    if repeated:
        raise InputError(f"{source.name}: {named(repeated, 'id')} more than once; each sample needs its own")
    return source


def named(items: Sequence[object], noun: str) -> str:
    """Return a count with the first items, such as: 7 files (a, b, c, d, e, ...)."""
    shown = ", ".join(str(item) for item in items[:MAX_NAMED])
    ellipsis = ", ..." if len(items) > MAX_NAMED else ""
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'} ({shown}{ellipsis})"


def _order(name: str) -> tuple[int, float, str]:
    return (0, int(name), name) if name.isascii() and name.isdigit() else (1, 0, name)
