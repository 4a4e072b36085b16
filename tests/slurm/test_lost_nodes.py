"""A trial that brings its node down each time, on a real Ray of two nodes: it fails, the others complete.

Its first losses were those of a former driver.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from noisebench.engine.recovery import MAX_NODE_LOSSES
from noisebench.records import attempts
from noisebench.records.attempts import End, ErrorKind, Status
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.journal import JournalWriter
from noisebench.store.query import query
from noisebench.sweep.sweep import load_sweep
from noisebench.sweep.trial import Trial
from tests import faulty_losses
from tests.trials import sweep_text

ROOT = Path(__file__).parents[2]
ATTEMPTS = "SELECT status, error_kind, worker, error FROM attempts WHERE trial_id = '{}' ORDER BY started_at"
# The head declares a node dead after three failed checks, a second apart.
CHECKS = {"period_ms": "1000", "timeout_ms": "1000", "failure_threshold": "3", "initial_delay_ms": "1000"}


FORMER_LOSSES = 2


def record_former_losses(folder: SweepFolder, trial: Trial) -> None:
    """Write what a former driver recorded of a trial that lost its node."""
    with JournalWriter(folder.journal, "former") as journal:
        for number in range(FORMER_LOSSES):
            attempt = f"{number:032x}"
            journal.append(attempts.started(attempt, folder.name, trial, f"former-{number}", "cpu"))
            end = End(Status.INTERRUPTED, ErrorKind.NODE_LOST, "the worker was lost")
            journal.append(attempts.ended(attempt, folder.name, trial.trial_id, end))


@pytest.mark.slow
def test_a_trial_that_kills_its_node_fails_after_the_stated_number_of_losses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(faulty_losses.__file__, tmp_path)
    monkeypatch.chdir(tmp_path)
    spec, results = tmp_path / "sweep.yaml", ResultsFolder(tmp_path / "results")
    spec.write_text(sweep_text('["faulty_losses:kills_its_node", CE, FL]'))
    sweep = load_sweep(spec)
    (killer,) = (trial for trial in sweep.trials() if "kills_its_node" in str(trial.loss))
    record_former_losses(results.sweep(sweep.name), killer)
    done = subprocess.run(
        [sys.executable, "-m", "tests.slurm.ray_cluster", "sweep.yaml", "results", "30"],
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
    found = query(results, ATTEMPTS.format(killer.trial_id)).rows()
    ends = [(status, kind) for status, kind, _, _ in found]
    assert ends == [("interrupted", "node-lost")] * (MAX_NODE_LOSSES - 1) + [("failed", "node-lost")]
    assert len({worker for _, _, worker, _ in found}) == MAX_NODE_LOSSES
    assert f"{MAX_NODE_LOSSES} nodes were lost while they ran this trial" in found[-1][-1]
