"""Tune's memory of ended trials, its files on a node's disk, and its second round."""

import gc
import os
import signal
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from ray.tune.experiment import Trial as TuneTrial

from noisebench.engine import scheduler
from noisebench.engine.options import Options
from noisebench.engine.run import run_sweep
from noisebench.engine.searcher import QueueSearcher
from noisebench.records import attempts
from noisebench.records.attempts import End, ErrorKind, Status
from noisebench.records.checkpoints import Checkpoints
from noisebench.records.evidence import EvidenceFile
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.journal import JournalWriter
from noisebench.store.query import query
from noisebench.sweep.trial import Trial
from noisebench.trial.measurement import Measurement
from tests.trials import sweep_of

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SEEN = "NOISEBENCH_TEST_SEEN"
TRIALS = 20
DEATHS = 3


def execute(
    trial: Trial,
    data_dir: Path | None,
    device: torch.device,
    checkpoints: Checkpoints,
    evidence: EvidenceFile,
) -> Measurement:
    """Return constant numbers; three trials kill their process at the first attempt."""
    del data_dir, device, checkpoints, evidence
    # A node that does not share the driver's disk has no files of Tune.
    for marker in Path(tempfile.gettempdir()).glob("noisebench-*/tune/sweep/.validate_storage_marker"):
        marker.unlink()
    seen = Path(os.environ[SEEN])
    (seen / f"process-{os.getpid()}").touch()
    once = seen / f"trial-{trial.seed}"
    if trial.seed in range(4, 4 + DEATHS) and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    numbers = ("precision", "recall", "f1", "specificity", "balanced_accuracy", "clean_accuracy")
    return Measurement(dict.fromkeys(numbers, 0.5), [], {})


def test_ended_trials_are_dropped_and_processes_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    complete = QueueSearcher.on_trial_complete

    def count(self: QueueSearcher, *arguments: Any, **named: Any) -> None:
        complete(self, *arguments, **named)
        gc.collect()
        kept.append(sum(isinstance(instance, TuneTrial) for instance in gc.get_objects()))

    monkeypatch.setattr(QueueSearcher, "on_trial_complete", count)
    monkeypatch.setattr(scheduler, "_ENDED_TRIALS_KEPT", 2)
    monkeypatch.setenv(SEEN, str(tmp_path))
    results = ResultsFolder(tmp_path / "results")
    with tempfile.TemporaryDirectory() as scratch:  # pytest's folder is too deep for Ray's sockets
        monkeypatch.setattr(tempfile, "tempdir", scratch)
        monkeypatch.setenv("TMPDIR", scratch)
        options = Options(cpus=1, execute=f"{__name__}:execute")
        outcome = run_sweep(sweep_of(seeds=str(TRIALS)), results, options)
    assert outcome.completed == TRIALS
    assert len(kept) == TRIALS + DEATHS
    assert max(kept) <= 6  # two ended trials, the running trials, the waiting trials
    assert len(list(tmp_path.glob("process-*"))) == 1 + DEATHS
    ended = query(results, "SELECT status, count(*) FROM attempts GROUP BY ALL ORDER BY ALL").rows()
    assert ended == [("completed", TRIALS), ("interrupted", DEATHS)]


def record(folder: SweepFolder, trial: Trial, status: Status, kind: ErrorKind) -> None:
    """Write the records of an attempt under a former driver."""
    with JournalWriter(folder.journal, "host") as journal:
        attempt_id = uuid.uuid4().hex
        journal.append(attempts.started(attempt_id, folder.name, trial, "worker", "cpu"))
        journal.append(attempts.ended(attempt_id, folder.name, trial.trial_id, End(status, kind, "why")))


def test_the_next_driver_gives_a_trial_the_memory_that_it_lacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SEEN, str(tmp_path))
    results = ResultsFolder(tmp_path / "results")
    sweep = sweep_of(seeds="4")
    submitted_at = datetime.now(UTC)
    once, cut_short, twice, broken = sweep.trials()
    for trial in (once, cut_short, twice, twice):
        record(results.sweep(sweep.name), trial, Status.FAILED, ErrorKind.HOST_MEMORY)
    record(results.sweep(sweep.name), cut_short, Status.INTERRUPTED, ErrorKind.DRIVER_LOST)
    record(results.sweep(sweep.name), broken, Status.FAILED, ErrorKind.EXCEPTION)
    with tempfile.TemporaryDirectory() as scratch:  # pytest's folder is too deep for Ray's sockets
        monkeypatch.setattr(tempfile, "tempdir", scratch)
        monkeypatch.setenv("TMPDIR", scratch)
        options = Options(cpus=2, execute=f"{__name__}:execute", submitted_at=submitted_at)
        outcome = run_sweep(sweep, results, options)
    assert (outcome.started, outcome.completed, outcome.failed, outcome.failed_before) == (2, 2, 2, 2)
    completed = query(results, "SELECT trial_id FROM attempts WHERE status = 'completed'").rows()
    assert {trial_id for (trial_id,) in completed} == {once.trial_id, cut_short.trial_id}
