"""Trials that fail each in its own way on a real Slurm: each under its own kind, the others untouched."""

import shutil
from pathlib import Path

import pytest

from noisebench.store.query import query
from noisebench.trial.layout import ResultsFolder
from tests import faulty_losses
from tests.command import noisebench
from tests.slurm.devcluster import Devcluster
from tests.trials import sweep_text

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

# Two trials side by side have 1.5 GB each, one alone 3: a gigabyte is Ray's.
SITE = """\
site: small
signal_seconds: 30
allowance_minutes: 1.5
driver: {cpus: 1, memory_gb: 3, minutes: 30}
worker: {cpus: 2, memory_gb: 4, minutes: 30, count: 1}
"""
FAULTS = ("raises", "is_nan", "hangs", "eats_memory")
ENDS = "SELECT status, error_kind, count(*) FROM attempts GROUP BY ALL ORDER BY ALL"
JOBS = "SELECT DISTINCT slurm_job_id FROM attempts"
WAIT_SECONDS = 420


def test_each_fault_has_its_kind_and_takes_no_worker_with_it(
    cluster: Devcluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in cluster.environment.items():
        monkeypatch.setenv(key, value)
    shutil.copy(faulty_losses.__file__, tmp_path)
    faulty = [f'"faulty_losses:{name}"' for name in FAULTS]
    losses = f"[{', '.join(faulty)}, CE, {{name: BL, gamma: 0.4}}]"
    (tmp_path / "faults.yaml").write_text(sweep_text(losses, name="faults"))
    (tmp_path / "site.yaml").write_text(SITE)
    sent = noisebench("submit", "faults.yaml", "--site", "site.yaml", cwd=tmp_path)
    assert sent.returncode == 0, sent.stderr
    names = ("squeue", "--noheader", "--format=%j")
    ended = "no job of the sweep is left"
    cluster.await_that(lambda: "noisebench-faults-" not in cluster.run(*names), ended, WAIT_SECONDS)
    results = ResultsFolder(tmp_path / "results")
    assert query(results, ENDS).rows() == [
        ("completed", None, 2),
        ("failed", "diverged", 1),
        ("failed", "exception", 1),
        ("failed", "host-memory", 2),  # the second time alone on its node
        ("failed", "timeout", 1),
    ]
    assert len(query(results, JOBS).rows()) == 1
