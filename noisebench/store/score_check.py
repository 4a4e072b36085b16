"""Whether a recorded result follows from the per-sample scores."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from noisebench.records.attempts import Result
from noisebench.science.metrics import detection_metrics

_LABELS = ("given_label", "true_label")


def scores_problem(data: bytes, result: Result) -> str | None:
    """Return how `result` contradicts a scores file (parquet), None where all counts and metrics follow.

    Only what flags and labels determine is compared: precision, recall, f1, specificity, balanced_accuracy
    and the counts.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(io.BytesIO(data))
        columns = {
            name: table[name].to_numpy() for name in (*_LABELS, "flagged") if name in table.schema.names
        }
    except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
        return f"its scores are no parquet file of per-sample scores: {str(error).splitlines()[0]}"
    for name, expected in _expected(columns).items():
        recorded = getattr(result, name)
        if recorded is not None and not math.isclose(recorded, expected, rel_tol=1e-9, abs_tol=1e-12):
            return f"its record has {name} {recorded}, but its scores make that {expected}"
    return None


def _expected(columns: dict[str, Any]) -> dict[str, float | int]:
    if not all(name in columns for name in _LABELS):
        return {}
    wrong = columns["given_label"] != columns["true_label"]
    if "flagged" not in columns:
        return {"samples": len(wrong), "wrong_labels": int(wrong.sum())}
    return detection_metrics(np.asarray(columns["flagged"], dtype=np.bool_), wrong)
