"""The per-sample scores of a trial, as a parquet file."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy.typing as npt

from noisebench.records.durable import is_storage_error, patiently, read_inside, write_inside
from noisebench.records.folders import ResultsFolder


def score_files(results: ResultsFolder, trial_id: str) -> list[Path]:
    """Return a trial's scores files, the first attempt's first; more than one if attempts differed."""
    path = results.scores(trial_id)
    return ([path] if path.is_file() else []) + sorted(path.parent.glob(f"{trial_id}-*.parquet"))


def write_scores(
    results: ResultsFolder, trial_id: str, samples: dict[str, npt.NDArray[Any]]
) -> tuple[str, str]:
    """Write one row for each sample; return the file's path in the results folder and its sha256 (hex).

    The file is durable on return, so a completed record never lacks its scores. The file of another attempt
    is not replaced: scores that differ from it get a separate file.
    """
    import pyarrow
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(samples), buffer, compression="zstd")
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    inside = results.scores(trial_id).relative_to(results.root).as_posix()
    if _digest(results, inside) not in (None, digest):
        inside = inside.replace(".parquet", f"-{digest[:16]}.parquet")
    patiently(lambda: write_inside(results.root, inside, data))
    return inside, digest


def _digest(results: ResultsFolder, inside: str) -> str | None:
    """Return the sha256 of a scores file; None if it is missing, or a link, which the new file replaces."""
    try:
        return hashlib.sha256(read_inside(results.root, inside)).hexdigest()
    except OSError as error:
        if is_storage_error(error):
            raise
        return None
