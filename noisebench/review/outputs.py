"""Writes what a run found: tables of suspects, a report, and the page on which a person reviews them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from noisebench.records.durable import write_durably
from noisebench.review.gallery import Cards, gallery
from noisebench.review.samples import Samples
from noisebench.review.strata import draw, last_ranks
from noisebench.review.summary import Run, Summary, histogram, summarise
from noisebench.review.suspects import Suspects
from noisebench.review.table import as_csv, as_parquet, table_of, valid


@dataclass(frozen=True)
class SuspectFiles:
    """The paths in the folder of one run's suspects; creating the object touches no file."""

    folder: Path

    @property
    def csv(self) -> Path:
        """The suspects, by rank."""
        return self.folder / "suspects.csv"

    @property
    def parquet(self) -> Path:
        """The same as Parquet."""
        return self.folder / "suspects.parquet"

    @property
    def all(self) -> Path:
        """All samples, by rank, with the same columns."""
        return self.folder / "all.parquet"

    @property
    def report(self) -> Path:
        """Counts, configuration, random cards, and the estimates of a review, as JSON."""
        return self.folder / "report.json"

    @property
    def page(self) -> Path:
        """The page on which suspects are reviewed."""
        return self.folder / "suspects.html"

    @property
    def decisions(self) -> Path:
        """All decisions that were read so far."""
        return self.folder / "decisions.csv"

    @property
    def labels(self) -> Path:
        """The corrected labels."""
        return self.folder / "labels.csv"


def write_suspects(folder: Path, samples: Samples, suspects: Suspects, run: Run) -> Summary:
    """Write suspects.csv, suspects.parquet, all.parquet, report.json and suspects.html; return the counts.

    Each file is replaced atomically. Decisions and corrected labels of an earlier run stay.
    """
    files = SuspectFiles(folder)
    table = table_of(samples, suspects)
    summary = summarise(table, suspects.suspects, tuple(valid(name) for name in samples.classes))
    listed = min(suspects.suspects, run.cards)
    ends = last_ranks(len(table), suspects.suspects, listed)
    drawn = draw(ends, suspects.p_given[suspects.order], run.budget, _seed(run))
    report = {
        **_about(run),
        "samples": summary.samples,
        "suspects": summary.suspects,
        "detectors": suspects.detectors,
        "seeds": suspects.seeds,
        "by_class": [asdict(each) for each in summary.by_class],
        "pairs": [asdict(each) for each in summary.pairs],
        "histogram": asdict(histogram(table, suspects.suspects)),
        "cards": {"listed": listed, "ends": ends, "drawn": drawn},
        "review": None,
    }
    write_tables(files, table, suspects.suspects)
    write_report(files, report)
    cards = Cards(table, suspects.order, listed, tuple(drawn), _seed(run))
    write_durably(files.page, gallery(cards, samples, summary, report).encode())
    return replace(summary, files=(files.page, files.csv, files.parquet, files.all, files.report))


def write_tables(files: SuspectFiles, table: pd.DataFrame, suspects: int) -> None:
    """Write the table of all samples by rank, and its first `suspects` rows."""
    top = table.iloc[:suspects]
    write_durably(files.all, as_parquet(table))
    write_durably(files.parquet, as_parquet(top))
    write_durably(files.csv, as_csv(top))


def write_report(files: SuspectFiles, report: dict[str, Any]) -> None:
    """Write report.json."""
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False, default=list)
    write_durably(files.report, text.encode(errors="backslashreplace") + b"\n")


def _about(run: Run) -> dict[str, Any]:
    return {
        "name": run.name,
        "data": valid(run.data),
        "data_hash": run.data_hash,
        "configuration": run.configuration,
        "notes": [valid(note) for note in run.notes],
        "tuning": run.tuning,
        "bracket": run.bracket,
    }


def _seed(run: Run) -> int:
    return int.from_bytes(hashlib.sha256(f"{run.name}\0{run.data_hash}".encode()).digest()[:4], "big")
