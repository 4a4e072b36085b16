"""The cause of a process loss, on one machine and on a cluster."""

import errno
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from noisebench.engine import recovery
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
from noisebench.records.journal import JournalWriter, complete_lines
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
        tail.refresh(live, [])
        assert tail.started(before) is None
        assert tail.started(during) is not None
        assert tail.ended(during) is None
        journal.append(
            attempts.ended(during, "test", TRIAL.trial_id, End(Status.FAILED, ErrorKind.DATA, "e"))
        )
        tail.refresh(live, [])
    end = tail.ended(during)
    assert end is not None
    assert (end.status, end.error_kind, end.error) == ("failed", "data", "e")
    tail.refresh({}, [])
    assert tail.started(during) is None


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the journal files that were opened."""
    names = []

    def read(path: Path, start: int = 0) -> tuple[list[bytes], int]:
        names.append(path.name)
        return complete_lines(path, start)

    monkeypatch.setattr(recovery, "complete_lines", read)
    return names


def test_a_file_is_opened_again_only_if_it_has_grown(folder: SweepFolder, opened: list[str]) -> None:
    with JournalWriter(folder.journal, "first") as first, JournalWriter(folder.journal, "other") as other:
        tail = JournalTail(folder)
        other.append(attempts.started("b" * 32, "test", TRIAL, "worker", "cpu"))
        first.append(attempts.started("a" * 32, "test", TRIAL, "worker", "cpu"))
        live = {"a" * 32: TRIAL}
        tail.refresh(live, [])
        assert sorted(opened) == sorted([first.path.name, other.path.name])
        opened.clear()
        # A loss is explained with a new look at all files; while its cause is awaited, with one at its own.
        lost = ["a" * 32]
        for names in ({first.path.name, other.path.name}, {first.path.name}, {first.path.name}):
            tail.refresh(live, lost)
            assert set(opened) == names
            opened.clear()
        tail.refresh(live, [])
        assert opened == []


def test_an_end_is_seen_although_the_file_system_still_shows_the_former_size(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = End(Status.FAILED, ErrorKind.DATA, "e")
    live = {key * 32: TRIAL for key in "ab"}
    with JournalWriter(folder.journal, "host") as journal:
        journal.append(attempts.started("c" * 32, "test", TRIAL, "worker", "cpu"))
        tail = JournalTail(folder)
        sizes = tail._sizes()
        # A client of NFS may show a size that it has kept for up to a minute; opening a file renews it.
        monkeypatch.setattr(tail, "_sizes", lambda: sizes)
        journal.append(attempts.started("a" * 32, "test", TRIAL, "worker", "cpu"))
        tail.refresh(live, ["a" * 32])
        assert tail.started("a" * 32) is not None
        journal.append(attempts.ended("a" * 32, "test", TRIAL.trial_id, end))
        tail.refresh(live, ["a" * 32])
        assert tail.ended("a" * 32) is not None
        journal.append(attempts.ended("b" * 32, "test", TRIAL.trial_id, end))
        tail.refresh(live, ["b" * 32])
        assert tail.ended("b" * 32) is not None


def test_has_completed_reads_the_journal_of_a_process(folder: SweepFolder) -> None:
    with JournalWriter(folder.journal, "host") as journal:
        journal.append(attempts.started("a" * 32, "test", TRIAL, "worker", "cpu"))
        assert not has_completed(journal.path, TRIAL.trial_id)
        ended = attempts.ended("a" * 32, "test", TRIAL.trial_id, End(Status.COMPLETED))
        journal.append(replace(ended, result=Result(f1=1.0)))
        assert has_completed(journal.path, TRIAL.trial_id)
    assert not has_completed(folder.journal / "missing.jsonl", TRIAL.trial_id)


def test_a_journal_that_the_disk_does_not_give_is_not_taken_for_one_without_an_end(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> tuple[list[bytes], int]:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(recovery, "complete_lines", fail)
    with pytest.raises(OSError, match="Input/output error"):
        has_completed(folder.journal / "host.jsonl", TRIAL.trial_id)
