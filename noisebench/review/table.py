"""The samples as a table, one row for each, by rank: what suspects.csv and all.parquet hold."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd

from noisebench.review.samples import Samples, conflicts
from noisebench.review.suspects import Suspects

DECISION = ("verdict", "corrected", "reviewer")


def table_of(samples: Samples, suspects: Suspects) -> pd.DataFrame:
    """Return all samples by rank; `verdict`, `corrected` and `reviewer` are empty until they are reviewed.

    Texts are valid Unicode: bytes of a path that are not UTF-8 are written as \\xNN.
    """
    rows = suspects.order
    classes = np.array([valid(name) for name in samples.classes], dtype=object)
    sizes = np.bincount(samples.labels, minlength=len(classes))
    ids = np.array([valid(each) for each in samples.ids], dtype=object)
    copies = samples.duplicate_of[rows]
    columns: dict[str, Any] = {
        "rank": np.arange(1, len(rows) + 1),
        "id": ids[rows],
        "path": [valid(samples.paths[row]) for row in rows],
        "sha256": [samples.sha256[row] for row in rows],
        "given": classes[samples.labels[rows]],
        "suggested": classes[suspects.suggested[rows]],
        "p_given": suspects.p_given[rows],
        "p_suggested": suspects.p_suggested[rows],
        "margin": suspects.margin[rows],
        "suspicion": suspects.suspicion[rows],
        "suspicion_sd": suspects.suspicion_sd[rows],
        "agreement": suspects.agreement[rows],
        "precision_low": np.nan if suspects.precision is None else suspects.precision[0],
        "precision_high": np.nan if suspects.precision is None else suspects.precision[1],
        "flagged_by": [
            "|".join(name for name, flag in zip(suspects.detectors, flags, strict=True) if flag)
            for flags in suspects.flagged[rows]
        ],
        "class_size": sizes[samples.labels[rows]],
        "duplicate_of": [ids[copy] if copy >= 0 else "" for copy in copies],
        "duplicate_conflict": conflicts(samples)[rows],
        "note": [valid(samples.note(row)) for row in rows],
        **dict.fromkeys(DECISION, ""),
    }
    return pd.DataFrame(columns)


def valid(text: str) -> str:
    """Return the text as valid Unicode, for CSV, Parquet and JSON."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def as_csv(table: pd.DataFrame) -> bytes:
    """Return the table as CSV, UTF-8, numbers with six significant digits."""
    return table.to_csv(index=False, lineterminator="\n", float_format="%.6g").encode()


def as_parquet(table: pd.DataFrame) -> bytes:
    """Return the table as Parquet."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()
