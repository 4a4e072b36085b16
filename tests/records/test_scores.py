"""A record names the scores of its own attempt."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet

from noisebench.records.folders import ResultsFolder
from noisebench.records.scores import write_scores


def test_a_repeated_trial_keeps_the_first_scores(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    first, first_hash = write_scores(results, "ab" * 8, {"suspicion": np.arange(3)})
    second, second_hash = write_scores(results, "ab" * 8, {"suspicion": np.arange(4)})
    assert first == f"scores/ab/{'ab' * 8}.parquet"
    for path, digest, length in ((first, first_hash, 3), (second, second_hash, 4)):
        assert hashlib.sha256((tmp_path / path).read_bytes()).hexdigest() == digest
        assert pyarrow.parquet.read_table(tmp_path / path).num_rows == length


def test_equal_scores_share_one_file(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    written = [write_scores(results, "ab" * 8, {"suspicion": np.arange(3)}) for _ in range(2)]
    assert written[0] == written[1]
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
