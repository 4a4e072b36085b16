"""The cause of a process loss, on one machine and on a cluster."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from noisebench.engine.losses import LossCounter
from noisebench.engine.node import note_leave
from noisebench.engine.ray_session import node_loss_seconds
from noisebench.engine.recovery import (
    NOT_STARTED,
    PROCESS_DIED,
    Cause,
    JournalTail,
    RecoveryPolicy,
    cause_on_cluster,
    cause_on_this_machine,
    has_completed,
)
from noisebench.records import attempts
from noisebench.records.attempts import End, ErrorKind, LeaveReason, Result, Started, Status
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.journal import JournalWriter
from tests.trials import trial_of

TRIAL = trial_of()
DECISION = 30.0


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return ResultsFolder(tmp_path).sweep("test")


def started(minutes_ago: float = 0.0) -> Started:
    record = attempts.started("a" * 32, "test", TRIAL, "worker", "cpu")
    return replace(record, started_at=datetime.now(UTC) - timedelta(minutes=minutes_ago))


def test_on_one_machine_the_process_died_or_the_trial_did_not_start() -> None:
    assert cause_on_this_machine(None, 0.0) is NOT_STARTED
    assert cause_on_this_machine(started(), 0.0) is PROCESS_DIED


def test_a_leave_note_gives_the_cause(folder: SweepFolder) -> None:
    find = cause_on_cluster(folder, lambda: frozenset({"worker"}), DECISION)
    note_leave(folder, "worker", LeaveReason.PREEMPTED)
    loss = find(started(), 0.0)
    assert loss is not None
    assert (loss.cause, loss.error_kind) == (Cause.NODE_LEFT, "preempted")


def test_a_process_counts_as_dead_only_after_ray_could_detect_a_node_loss(
    folder: SweepFolder,
) -> None:
    alive = frozenset({"worker"})
    find = cause_on_cluster(folder, lambda: alive, DECISION)
    assert find(started(), DECISION - 1) is None
    assert find(None, DECISION - 1) is None
    assert find(started(), DECISION) is PROCESS_DIED
    assert find(None, DECISION) is NOT_STARTED
    alive = frozenset()
    assert find(started(), 0.0) is None  # a leave note may not be visible yet
    loss = find(started(), DECISION - 1)
    assert loss is not None
    assert loss.cause is Cause.NODE_LOST


def test_the_time_to_detect_a_node_loss_covers_the_health_checks() -> None:
    assert node_loss_seconds({}) >= 15 + 10
    quick = {
        f"RAY_health_check_{name}": value
        for name, value in (("period_ms", "1000"), ("timeout_ms", "1000"), ("failure_threshold", "3"))
    }
    assert node_loss_seconds(quick) == 9


def test_an_overdue_attempt_that_died_without_a_record_is_a_timeout(folder: SweepFolder) -> None:
    def kind(minutes_ago: float, allowance_minutes: float | None) -> str | None:
        losses = LossCounter(RecoveryPolicy(allowance_minutes=allowance_minutes), folder.results)
        return losses.end_after(TRIAL, PROCESS_DIED, started(minutes_ago)).error_kind

    assert kind(5, 4) == "timeout"
    assert kind(5, 6) == "process-died"
    assert kind(5, None) == "process-died"  # the allowance is at least ten minutes


def test_the_journal_is_read_from_the_start_of_the_run(folder: SweepFolder) -> None:
    before, during = "b" * 32, "d" * 32
    with JournalWriter(folder.journal, "host") as journal:
        journal.append(attempts.started(before, "test", TRIAL, "worker", "cpu"))
        tail = JournalTail(folder)
        journal.append(attempts.started(during, "test", TRIAL, "worker", "cpu"))
        live = {before: TRIAL, during: TRIAL}
        tail.refresh(live)
        assert tail.started(before) is None
        assert tail.started(during) is not None
        assert tail.ended(during) is None
        journal.append(
            attempts.ended(during, "test", TRIAL.trial_id, End(Status.FAILED, ErrorKind.DATA, "e"))
        )
        tail.refresh(live)
    end = tail.ended(during)
    assert end is not None
    assert (end.status, end.error_kind, end.error) == ("failed", "data", "e")
    tail.refresh({})
    assert tail.started(during) is None


def test_has_completed_reads_the_journal_of_a_process(folder: SweepFolder) -> None:
    with JournalWriter(folder.journal, "host") as journal:
        journal.append(attempts.started("a" * 32, "test", TRIAL, "worker", "cpu"))
        assert not has_completed(journal.path, TRIAL.trial_id)
        ended = attempts.ended("a" * 32, "test", TRIAL.trial_id, End(Status.COMPLETED))
        journal.append(replace(ended, result=Result(f1=1.0)))
        assert has_completed(journal.path, TRIAL.trial_id)
    assert not has_completed(folder.journal / "missing.jsonl", TRIAL.trial_id)
