"""Trials that bring their nodes down or drain them, on a real Ray of two nodes; the others complete."""

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
from tests.slurm.raw_journal import lines_of
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


def run_on_two_nodes(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the sweep in `folder`; what was recorded in the last half an hour is of the same submission."""
    return subprocess.run(
        [sys.executable, "-m", "tests.slurm.ray_cluster", "sweep.yaml", "results", "30"],
        cwd=folder,
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
    done = run_on_two_nodes(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "2 completed, 1 failed, 0 unfinished"
    found = query(results, ATTEMPTS.format(killer.trial_id)).rows()
    ends = [(status, kind) for status, kind, _, _ in found]
    assert ends == [("interrupted", "node-lost")] * (MAX_NODE_LOSSES - 1) + [("failed", "node-lost")]
    assert len({worker for _, _, worker, _ in found}) == MAX_NODE_LOSSES
    assert f"{MAX_NODE_LOSSES} nodes were lost while they ran this trial" in found[-1][-1]


@pytest.mark.slow
def test_a_trial_whose_node_drains_is_repeated_under_a_new_attempt_id(tmp_path: Path) -> None:
    shutil.copy(faulty_losses.__file__, tmp_path)
    (tmp_path / "sweep.yaml").write_text(sweep_text('["faulty_losses:drains_its_node", CE]', name="drained"))
    done = run_on_two_nodes(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "2 completed, 0 failed, 0 unfinished"
    lines, torn = lines_of(ResultsFolder(tmp_path / "results").sweep("drained").journal)
    assert torn == 0
    started, ended = (
        [line["attempt_id"] for line in lines if line["event"] == event] for event in ("started", "ended")
    )
    assert len(started) > 2, "an attempt was drained"
    # If Tune repeated a drained trial itself, an attempt would start and end twice.
    assert len(set(started)) == len(started)
    assert sorted(ended) == sorted(started)
