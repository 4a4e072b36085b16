"""What a run says of a data set: counts by class, the most confused pairs, how suspicion is distributed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

BINS = 30


@dataclass(frozen=True)
class Run:
    """What the page and report.json say of the run that judged the samples.

    `data`: what the user named. `configuration`, `tuning`: JSON. `notes`: sentences for the reader.
    `bracket`: the lowest and the highest number of wrong labels by planted errors, if any.
    `cards`: how many suspects the page lists at most. `budget`: how many random cards are drawn.
    """

    name: str
    data: str
    data_hash: str
    configuration: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    tuning: Mapping[str, Any] | None = None
    bracket: tuple[int, int] | None = None
    cards: int = 5000
    budget: int = 500


@dataclass(frozen=True)
class ClassCount:
    """The samples of one given class."""

    name: str
    samples: int
    suspects: int


@dataclass(frozen=True)
class Pair:
    """How many suspects have this given and this suggested label."""

    given: str
    suggested: str
    count: int


@dataclass(frozen=True)
class Summary:
    """Counts of suspects; `pairs` with the most frequent first; `files` are those written.

    `decisions_left_out`: how many decisions of earlier reviews do not fit these samples.
    """

    samples: int
    suspects: int
    by_class: tuple[ClassCount, ...]
    pairs: tuple[Pair, ...]
    files: tuple[Path, ...] = ()
    decisions_left_out: int = 0

    def as_fields(self) -> dict[str, Any]:
        """Return the summary for JSON."""
        return {**asdict(self), "files": [str(path) for path in self.files]}


def summarise(table: pd.DataFrame, suspects: int, classes: tuple[str, ...]) -> Summary:
    """Count the suspects of a table of all samples by rank, whose first rows are the suspects."""
    top = table.iloc[:suspects]
    sizes, suspected = Counter(table["given"]), Counter(top["given"])
    pairs = Counter(zip(top["given"], top["suggested"], strict=True)).most_common()
    return Summary(
        samples=len(table),
        suspects=suspects,
        by_class=tuple(ClassCount(name, sizes[name], suspected[name]) for name in classes),
        pairs=tuple(Pair(given, suggested, count) for (given, suggested), count in pairs),
    )


@dataclass(frozen=True)
class Histogram:
    """Counts of suspicion in `BINS` equal bins between `edges`; of suspects, and of all others."""

    edges: tuple[float, ...]
    suspects: tuple[int, ...]
    others: tuple[int, ...]


def histogram(table: pd.DataFrame, suspects: int) -> Histogram:
    """Return the histogram of suspicion; samples that were not judged are left out."""
    suspicion = table["suspicion"].to_numpy(dtype=np.float64)
    judged = np.isfinite(suspicion)
    edges = np.histogram_bin_edges(suspicion[judged], bins=BINS)
    is_suspect = np.arange(len(table)) < suspects
    counts = [np.histogram(suspicion[judged & each], bins=edges)[0] for each in (is_suspect, ~is_suspect)]
    return Histogram(tuple(edges.tolist()), tuple(counts[0].tolist()), tuple(counts[1].tolist()))
