"""How the first finished fold of a trial judges the samples that it has not seen: a file for readers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from noisebench.records.durable import patiently, read_inside, write_durably

_NAME = "first-fold.json"


@dataclass(frozen=True)
class Counts:
    """How many of the given labels of some samples a model predicts; how many the largest class has."""

    samples: int
    right: int
    largest: int


def note_first_fold(folder: Path | None, counts: Counts) -> None:
    """Write the counts into a trial's checkpoint folder, unless an earlier fold's are there."""
    if folder is not None and not (folder / _NAME).exists():
        patiently(lambda: write_durably(folder / _NAME, json.dumps(asdict(counts)).encode()))


def first_fold(folder: Path) -> Counts | None:
    """Return the counts in a trial's checkpoint folder; None where no fold has finished."""
    try:
        fields = json.loads(read_inside(folder, _NAME))
        counts = Counts(**{name: int(value) for name, value in fields.items()})
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return counts if 0 < counts.largest <= counts.samples and 0 <= counts.right <= counts.samples else None
