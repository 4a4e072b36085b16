"""The time limit of an attempt, and trials that a former process may have completed."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from noisebench.engine import recovery
from noisebench.engine.trainable import attempt_seconds, former_end
from noisebench.records import attempts, durable
from noisebench.records.attempts import End, ErrorKind, Result, Status
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter
from noisebench.trial.duration import Work, estimated_seconds
from tests.trials import trial_of

HOUR = 3600.0
SHORT = trial_of()
LONG = trial_of(dataset="CIFAR-10", training="{}", detector="{name: confident-learning, folds: 5}")


def test_without_a_worker_time_limit_the_allowance_is_ten_estimates() -> None:
    assert attempt_seconds(Work(LONG, gpu=True), None, None) == 10 * estimated_seconds(Work(LONG, gpu=True))
    assert attempt_seconds(Work(SHORT, gpu=False), None, None) == 600


def test_a_trial_that_fits_into_a_workers_time_is_limited_to_it() -> None:
    estimate = estimated_seconds(Work(LONG, gpu=True))
    worker = 3 * estimate
    assert attempt_seconds(Work(LONG, gpu=True), worker, None) == 0.9 * worker


def test_a_trial_that_needs_several_workers_keeps_its_allowance() -> None:
    estimate = estimated_seconds(Work(LONG, gpu=True))
    assert attempt_seconds(Work(LONG, gpu=True), estimate, None) == 10 * estimate


def test_an_allowance_set_by_the_user_is_not_changed() -> None:
    assert attempt_seconds(Work(LONG, gpu=True), HOUR, 90) == 90 * 60


def test_a_trial_that_a_former_process_has_completed_is_not_run(tmp_path: Path) -> None:
    with JournalWriter(ResultsFolder(tmp_path).sweep("test").journal, "host") as journal:
        assert former_end(str(journal.path), SHORT.trial_id) is None
        ended = attempts.ended("a" * 32, "test", SHORT.trial_id, End(Status.COMPLETED))
        journal.append(replace(ended, result=Result(f1=1.0)))
        assert former_end(str(journal.path), SHORT.trial_id) == End(Status.COMPLETED)
    assert former_end(None, SHORT.trial_id) is None


def test_a_trial_whose_former_journal_cannot_be_read_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []

    def fail(path: Path) -> tuple[list[bytes], int]:
        reads.append(path)
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))

    monkeypatch.setattr(recovery, "complete_lines", fail)
    monkeypatch.setattr(durable, "RETRY_SECONDS", (0.0, 0.0))
    end = former_end("host.jsonl", SHORT.trial_id)
    assert end is not None
    assert (end.status, end.error_kind) == (Status.INTERRUPTED, ErrorKind.STORAGE)
    assert len(reads) == 3
