"""The files in the folder of one run's suspects, and how they are written: through no link below results."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from noisebench.records.durable import write_of_sweep
from noisebench.review.table import as_csv, as_parquet


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


def write_tables(files: SuspectFiles, table: pd.DataFrame, suspects: int) -> None:
    """Write the table of all samples by rank, and its first `suspects` rows."""
    top = table.iloc[:suspects]
    write_of_sweep(files.all, as_parquet(table))
    write_of_sweep(files.parquet, as_parquet(top))
    write_of_sweep(files.csv, as_csv(top))


def write_report(files: SuspectFiles, report: dict[str, Any]) -> None:
    """Write report.json."""
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False, default=list)
    write_of_sweep(files.report, text.encode(errors="backslashreplace") + b"\n")
