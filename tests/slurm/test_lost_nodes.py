"""A trial that brings its node down each time, on a real Ray of two nodes: it fails, the others complete."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from noisebench.engine.recovery import MAX_NODE_LOSSES
from noisebench.records.folders import ResultsFolder
from noisebench.store.query import query
from tests import faulty_losses
from tests.trials import sweep_text

ROOT = Path(__file__).parents[2]
ATTEMPTS = "SELECT status, error_kind, worker, error FROM attempts WHERE trial_id = '{}' ORDER BY started_at"
# The head declares a node dead after three failed checks, a second apart.
CHECKS = {"period_ms": "1000", "timeout_ms": "1000", "failure_threshold": "3", "initial_delay_ms": "1000"}


@pytest.mark.slow
def test_a_trial_that_kills_its_node_fails_after_the_stated_number_of_losses(tmp_path: Path) -> None:
    shutil.copy(faulty_losses.__file__, tmp_path)
    (tmp_path / "sweep.yaml").write_text(sweep_text('["faulty_losses:kills_its_node", CE, FL]'))
    done = subprocess.run(
        [sys.executable, "-m", "tests.slurm.ray_cluster", "sweep.yaml", tmp_path / "results"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            **{f"RAY_health_check_{name}": value for name, value in CHECKS.items()},
        },
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "2 completed, 1 failed, 0 unfinished"
    results = ResultsFolder(tmp_path / "results")
    ((trial,),) = query(results, "SELECT trial_id FROM attempts WHERE status = 'failed'").rows()
    attempts = query(results, ATTEMPTS.format(trial)).rows()
    ends = [(status, kind) for status, kind, _, _ in attempts]
    assert ends == [("interrupted", "node-lost")] * (MAX_NODE_LOSSES - 1) + [("failed", "node-lost")]
    assert len({worker for _, _, worker, _ in attempts}) == MAX_NODE_LOSSES
    assert f"{MAX_NODE_LOSSES} nodes were lost while they ran this trial" in attempts[-1][-1]
