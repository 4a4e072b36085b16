"""The per-sample scores of a trial, kept as one parquet file."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy.typing as npt

from noisebench.records.durable import patiently, write_durably
from noisebench.records.folders import ResultsFolder


def score_files(results: ResultsFolder, trial_id: str) -> list[Path]:
    """Return the files of a trial's scores, the first attempt's first: more than one if attempts differed."""
    path = results.scores(trial_id)
    return ([path] if path.is_file() else []) + sorted(path.parent.glob(f"{trial_id}-*.parquet"))


def write_scores(
    results: ResultsFolder, trial_id: str, samples: dict[str, npt.NDArray[Any]]
) -> tuple[str, str]:
    """Write one row for each sample; return the file's path in the results folder and its sha256 (hex).

    The file is whole on the disk when this returns, so that a completed record never lacks its scores. What
    another attempt of the trial wrote stays: scores that differ from it get a file of their own.
    """
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(samples), buffer, compression="zstd")
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    path = results.scores(trial_id)
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        path = path.with_name(f"{trial_id}-{digest[:16]}.parquet")
    patiently(lambda: write_durably(path, data))
    return path.relative_to(results.root).as_posix(), digest
