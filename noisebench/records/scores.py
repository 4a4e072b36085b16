"""The per-sample scores of a trial, kept as one parquet file."""

import io
from typing import Any

import numpy.typing as npt

from noisebench.records.durable import patiently, write_durably
from noisebench.records.folders import ResultsFolder


def write_scores(results: ResultsFolder, trial_id: str, samples: dict[str, npt.NDArray[Any]]) -> None:
    """Write one row a sample, durably: the file is whole before the trial counts as completed."""
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(samples), buffer, compression="zstd")
    patiently(lambda: write_durably(results.scores(trial_id), buffer.getvalue()))
