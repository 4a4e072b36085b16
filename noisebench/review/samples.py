"""What a review needs to know of the samples and of the trials that judged them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import InputError

Picture = Path | NDArray[np.uint8] | None


@dataclass(frozen=True)
class Samples:
    """N judged samples with K classes.

    `ids`: unique. `paths`: as shown to the user; "" for a sample without a file. `sha256`: hex, of the file's
    bytes or of the row's bytes. `labels` int64 [N]: the given labels, 0 to K-1. `duplicate_of` int64 [N]: the
    row of the first sample with the same content, -1 for none. `notes`: one text for each sample, or empty.
    `picture` gives a row's image file, or its pixels as uint8 [H, W] or [C, H, W] with C = 1 or 3, or None;
    it is None itself for data without images. Raises InputError if the lengths or the labels do not fit.
    """

    ids: tuple[str, ...]
    paths: tuple[str, ...]
    sha256: tuple[str, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    duplicate_of: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    picture: Callable[[int], Picture] | None = None

    def __post_init__(self) -> None:
        columns = {name: getattr(self, name) for name in ("paths", "sha256", "labels", "duplicate_of")}
        columns |= {"notes": self.notes} if self.notes else {}
        for name, column in columns.items():
            if len(column) != len(self.ids):
                raise InputError(f"samples: {len(self.ids)} ids, but {len(column)} {name}; must be as many")
        if not self.ids:
            raise InputError("samples: there is none to judge")
        for name, values in (("id", self.ids), ("class", self.classes)):
            if len(set(values)) < len(values):
                twice = values[int(np.flatnonzero(first_of_each(values) >= 0)[0])]
                raise InputError(f"samples: the {name} {twice!r} occurs twice; must be unique")
        if self.labels.min() < 0 or self.labels.max() >= len(self.classes):
            raise InputError(
                f"samples: labels reach from {self.labels.min()} to {self.labels.max()}, must be in "
                f"0..{len(self.classes) - 1}"
            )

    def note(self, row: int) -> str:
        """Return the note on a sample, "" for none."""
        return self.notes[row] if self.notes else ""


@dataclass(frozen=True)
class TrialScores:
    """The judgement of one completed trial on all samples, without planted errors.

    `suspicion` float64 [N]: higher = more likely wrong, NaN = not judged. `flagged` bool [N].
    `probabilities` [N, K]: out of fold; None for a detector without any, or if another trial brings the same.
    """

    detector: str
    seed: int
    suspicion: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    probabilities: NDArray[np.floating] | None = None


def first_of_each(keys: Sequence[Hashable]) -> NDArray[np.int64]:
    """Return for each key [N] the row where it occurs first, -1 there itself and for keys that occur once."""
    first: dict[Hashable, int] = {}
    rows = np.full(len(keys), -1, dtype=np.int64)
    for row, key in enumerate(keys):
        earlier = first.setdefault(key, row)
        if earlier != row:
            rows[row] = earlier
    return rows


def conflicts(samples: Samples) -> NDArray[np.bool_]:
    """Return which samples [N] have the content of another sample and a label that this one has not.

    All samples of such a group are marked, because any of them may be the wrong one.
    """
    group = np.where(samples.duplicate_of < 0, np.arange(len(samples.ids)), samples.duplicate_of)
    lowest = np.full(len(group), len(samples.classes), dtype=np.int64)
    highest = np.full(len(group), -1, dtype=np.int64)
    np.minimum.at(lowest, group, samples.labels)
    np.maximum.at(highest, group, samples.labels)
    return np.asarray(lowest[group] != highest[group])
