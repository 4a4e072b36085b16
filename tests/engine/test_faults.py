"""Trials with different faults on a real Ray: each is recorded with its kind, the others complete."""

import shutil
from pathlib import Path

import pytest

from noisebench.records.folders import ResultsFolder
from noisebench.store.query import query
from tests import faulty_losses
from tests.command import noisebench
from tests.trials import sweep_text

pytestmark = [pytest.mark.ray, pytest.mark.slow]

FAULTS = ("raises", "is_nan", "hangs", "allocates_memory")
ENDS = "SELECT status, error_kind, count(*) FROM attempts GROUP BY ALL ORDER BY ALL"


def test_each_fault_has_its_kind(tmp_path: Path) -> None:
    shutil.copy(faulty_losses.__file__, tmp_path)
    faulty = [f'"faulty_losses:{name}"' for name in FAULTS]
    (tmp_path / "sweep.yaml").write_text(sweep_text(f"[CE, {', '.join(faulty)}, {{name: BL, gamma: 0.4}}]"))
    limits = ("--cpus", "2", "--memory-gb", "2.5", "--allowance-minutes", "1")
    done = noisebench("run", "sweep.yaml", *limits, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "2 of 6 trials completed" in done.stderr
    assert query(ResultsFolder(tmp_path / "results"), ENDS).rows() == [
        ("completed", None, 2),
        ("failed", "diverged", 1),
        ("failed", "exception", 1),
        ("failed", "host-memory", 2),  # the second time alone on the machine
        ("failed", "timeout", 1),
    ]
    text = noisebench("failures", "test", cwd=tmp_path).stdout
    assert "more than its share of 2560 MB" in text
    assert "with --allowance-minutes, on Slurm" in text
