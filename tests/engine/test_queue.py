"""The queue's handling of trials that end or lose their process."""

import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from noisebench.engine.losses import CLOCK_SECONDS, SUSPECT_NODE_LOSSES
from noisebench.engine.progress import Progress
from noisebench.engine.queue import TrialQueue
from noisebench.engine.recovery import (
    MAX_FAILED_STARTS,
    MAX_NODE_LOSSES,
    MAX_PROCESS_DEATHS,
    MAX_STALLED_ATTEMPTS,
    NOT_STARTED,
    PROCESS_DIED,
    Cause,
    Loss,
    RecoveryPolicy,
)
from noisebench.engine.stops import Stops
from noisebench.records import attempts
from noisebench.records.attempts import End, Ended, ErrorKind, Result, Status
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.journal import JournalWriter, records
from noisebench.store.ingest import ingest
from noisebench.store.states import Interruption, interruptions_since
from noisebench.store.store import open_store
from noisebench.sweep.trial import Trial
from tests.trials import sweep_of

NODE_LOST = Loss(Cause.NODE_LOST, ErrorKind.NODE_LOST, "the worker w was lost")
TIME_LIMIT = Loss(Cause.NODE_LEFT, ErrorKind.TIME_LIMIT, "the worker w left: time-limit")
PREEMPTED = Loss(Cause.NODE_LEFT, ErrorKind.PREEMPTED, "the worker w left: preempted")


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return ResultsFolder(tmp_path).sweep("test")


def queue_of(
    folder: SweepFolder,
    seeds: int = 1,
    loss: Loss | None = PROCESS_DIED,
    previous: dict[str, list[Interruption]] | None = None,
) -> TrialQueue:
    """Return a queue in which every loss has the same cause; former drivers had the `previous` ones."""
    trials = list(sweep_of(seeds=str(seeds)).trials())
    policy = RecoveryPolicy(find_cause=lambda _, __: loss, previous_losses=previous or {})
    return TrialQueue(trials, folder, Progress(seeds, 0, 0, seeds), policy)


def ends(folder: SweepFolder) -> list[tuple[str, str | None]]:
    return [(line.status, line.error_kind) for line in records(folder.journal) if isinstance(line, Ended)]


def record_end(folder: SweepFolder, attempt: str, trial: Trial, status: str, kind: str | None) -> None:
    """Write the records of an attempt's process."""
    with JournalWriter(folder.journal, "host") as journal:
        journal.append(attempts.started(attempt, "test", trial, "worker", "cpu"))
        end = End(Status(status), None if kind is None else ErrorKind(kind), "why")
        result = Result(f1=0.5) if end.status == Status.COMPLETED else None
        journal.append(replace(attempts.ended(attempt, "test", trial.trial_id, end), result=result))


def test_each_trial_is_handed_out_once_with_its_own_attempt_id(folder: SweepFolder) -> None:
    queue = queue_of(folder, 2)
    (first, one), (second, two) = queue.take(), queue.take()
    assert (one.seed, two.seed) == (0, 1)
    assert first != second
    assert (queue.waiting, queue.live, queue.next_trial) == (0, 2, None)
    queue.settle(first, End(Status.COMPLETED))
    queue.settle(second, End(Status.FAILED, ErrorKind.EXCEPTION, "no"))
    assert (queue.progress.completed, queue.progress.failed, queue.progress.running) == (1, 1, 0)
    queue.close()
    assert ends(folder) == []  # their own processes recorded the ends


def test_a_trial_whose_process_died_runs_once_more_then_fails_as_host_memory(folder: SweepFolder) -> None:
    queue = queue_of(folder, 2)
    first, trial = queue.take()
    queue.lose(first)
    assert (queue.waiting, queue.progress.pending, queue.progress.running) == (2, 2, 0)
    queue.take()
    second, again = queue.take()
    assert again == trial
    assert second != first
    queue.lose(second)
    assert queue.waiting == 0
    assert queue.progress.failed == 1
    assert ends(folder) == [("interrupted", "process-died"), ("failed", "host-memory")]


def test_a_loss_without_a_known_cause_stays_live_until_it_is_explained(folder: SweepFolder) -> None:
    causes: list[Loss | None] = [None, None, NODE_LOST]
    policy = RecoveryPolicy(find_cause=lambda _, __: causes.pop(0))
    queue = TrialQueue(sweep_of().trials(), folder, Progress(1, 0, 0, 1), policy)
    queue.lose(queue.take()[0])
    assert (queue.waiting, queue.live) == (0, 1)
    queue.explain_losses()
    assert (queue.waiting, queue.live) == (0, 1)
    queue.explain_losses()
    assert (queue.waiting, queue.live) == (1, 0)
    assert ends(folder) == [("interrupted", "node-lost")]


def lose_all(queue: TrialQueue, before_each: Callable[[Trial], None] = lambda _: None) -> int:
    """Lose the only trial of the queue until it no longer waits; return the number of losses."""
    count = 0
    while queue.waiting and count < 20:
        attempt, trial = queue.take()
        before_each(trial)
        queue.lose(attempt)
        count += 1
    return count


@pytest.mark.parametrize(
    ("loss", "limit", "kind", "message"),
    [
        (NODE_LOST, MAX_NODE_LOSSES, "node-lost", "the trial may bring its node down"),
        (TIME_LIMIT, MAX_STALLED_ATTEMPTS, "time-limit", "raise `workers.minutes` in the site's profile"),
    ],
)
def test_losses_without_progress_are_limited(
    folder: SweepFolder, loss: Loss, limit: int, kind: str, message: str
) -> None:
    queue = queue_of(folder, loss=loss)
    assert lose_all(queue) == limit
    assert queue.progress.failed == 1
    assert ends(folder) == [("interrupted", kind)] * (limit - 1) + [("failed", kind)]
    *_, last = records(folder.journal)
    assert message in last.error


@pytest.mark.parametrize("loss", [NODE_LOST, TIME_LIMIT])
def test_a_new_checkpoint_resets_the_count(folder: SweepFolder, loss: Loss) -> None:
    queue = queue_of(folder, loss=loss)
    number = 0

    def progress(trial: Trial) -> None:
        nonlocal number
        number += 1
        checkpoints = folder.results.checkpoint(trial.trial_id)
        checkpoints.mkdir(parents=True, exist_ok=True)
        (checkpoints / f"{number}.pt").touch()

    assert lose_all(queue, progress) == 20
    assert queue.progress.failed == 0


def test_preemptions_are_not_limited(folder: SweepFolder) -> None:
    queue = queue_of(folder, loss=PREEMPTED)
    assert lose_all(queue) == 20
    assert queue.progress.failed == 0


def test_preemptions_do_not_count_as_time_limits(folder: SweepFolder) -> None:
    causes: list[Loss | None] = [PREEMPTED] * MAX_STALLED_ATTEMPTS + [TIME_LIMIT] * MAX_STALLED_ATTEMPTS
    policy = RecoveryPolicy(find_cause=lambda _, __: causes.pop(0))
    queue = TrialQueue(sweep_of().trials(), folder, Progress(1, 0, 0, 1), policy)
    assert lose_all(queue) == 2 * MAX_STALLED_ATTEMPTS
    assert queue.progress.failed == 1


def recorded_losses(folder: SweepFolder) -> dict[str, list[Interruption]]:
    """Return the losses of the sweep as the driver that takes over reads them."""
    ingest(folder.results)
    with open_store(folder.results) as store:
        return interruptions_since(store, folder.name, datetime.now(UTC) - timedelta(hours=1))


@pytest.mark.parametrize(
    ("loss", "limit"),
    [
        (NODE_LOST, MAX_NODE_LOSSES),
        (TIME_LIMIT, MAX_STALLED_ATTEMPTS),
        (PROCESS_DIED, MAX_PROCESS_DEATHS),
    ],
)
def test_losses_count_on_after_a_takeover(folder: SweepFolder, loss: Loss, limit: int) -> None:
    first = queue_of(folder, loss=loss)
    for _ in range(limit - 1):
        first.lose(first.take()[0])
    first.close()
    second = queue_of(folder, loss=loss, previous=recorded_losses(folder))
    assert lose_all(second) == 1
    assert (second.waiting, second.progress.failed) == (0, 1)
    second.close()
    # Without them it starts again.
    assert lose_all(queue_of(folder, loss=loss)) == limit


def test_losses_before_the_newest_checkpoint_do_not_count_after_a_takeover(folder: SweepFolder) -> None:
    (trial,) = sweep_of().trials()
    checkpoint = folder.results.checkpoint(trial.trial_id) / "fold-0.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    written = datetime.fromtimestamp(checkpoint.stat().st_mtime, UTC)
    hours = [written + timedelta(hours=hour) for hour in (-3, -2, -1, 1, 2)]
    previous = {trial.trial_id: [Interruption(ErrorKind.NODE_LOST, hour) for hour in hours]}
    assert lose_all(queue_of(folder, loss=NODE_LOST, previous=previous)) == MAX_NODE_LOSSES - 2


@pytest.mark.parametrize(
    ("ahead", "counted"), [(-CLOCK_SECONDS, 0), (CLOCK_SECONDS - 10, 0), (CLOCK_SECONDS + 10, 3)]
)
def test_losses_before_a_checkpoint_count_only_if_a_clock_is_more_than_a_minute_ahead(
    folder: SweepFolder, ahead: float, counted: int
) -> None:
    """How far the clock of the node that recorded the losses is ahead of the file server's."""
    (trial,) = sweep_of().trials()
    checkpoint = folder.results.checkpoint(trial.trial_id) / "fold-0.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    written = datetime.fromtimestamp(checkpoint.stat().st_mtime, UTC)
    moments = [written + timedelta(seconds=ahead - before) for before in (3, 2, 1)]
    previous = {trial.trial_id: [Interruption(ErrorKind.NODE_LOST, moment) for moment in moments]}
    assert lose_all(queue_of(folder, loss=NODE_LOST, previous=previous)) == MAX_NODE_LOSSES - counted


def test_trials_that_may_kill_their_nodes_run_one_at_a_time_after_a_takeover(folder: SweepFolder) -> None:
    trials = list(sweep_of(seeds="4").trials())
    lost = [Interruption(ErrorKind.NODE_LOST, datetime.now(UTC))] * SUSPECT_NODE_LOSSES
    queue = queue_of(folder, 4, previous={trial.trial_id: lost for trial in trials[1:3]})
    assert queue.waiting == 4
    running = [queue.take() for _ in range(4) if queue.next_trial]
    assert [trial.seed for _, trial in running] == [1, 0, 3]
    queue.settle(running[0][0], End(Status.COMPLETED))
    assert queue.take()[1].seed == 2
    assert queue.waiting == 0


def test_an_interrupted_trial_is_next_and_one_whose_process_died_is_last(
    folder: SweepFolder,
) -> None:
    for loss, place in ((PREEMPTED, 0), (NODE_LOST, 0), (PROCESS_DIED, -1)):
        queue = queue_of(folder, 3, loss=loss)
        attempt, trial = queue.take()
        queue.lose(attempt)
        assert [queue.take()[1] for _ in range(3)][place] == trial


@pytest.mark.parametrize("beside", [3, 7])
def test_a_trial_that_kills_its_nodes_fails_no_other_trial(folder: SweepFolder, beside: int) -> None:
    # All trials fit onto one node: with it they are lost together, again and again.
    queue = queue_of(folder, 1 + beside, loss=NODE_LOST)
    lives = 0
    while queue.waiting:
        running = [queue.take() for _ in range(1 + beside) if queue.next_trial]
        lives += 1
        if any(trial.seed == 2 for _, trial in running):
            for attempt, _ in running:
                queue.lose(attempt)
        else:
            for attempt, _ in running:
                queue.settle(attempt, End(Status.COMPLETED))
    assert (queue.progress.completed, queue.progress.failed) == (beside, 1)
    assert lives <= MAX_NODE_LOSSES + 2 * (1 + beside)


def test_closing_records_running_trials_as_cancelled(folder: SweepFolder) -> None:
    queue = queue_of(folder, 3)
    queue.take()
    attempt, trial = queue.take()
    record_end(folder, attempt, trial, "completed", None)
    queue.close()
    assert sorted(line.status for line in records(folder.journal) if isinstance(line, Ended)) == [
        "completed",
        "interrupted",
    ]
    assert (queue.progress.completed, queue.live) == (1, 0)


def test_an_attempt_that_recorded_its_end_before_its_death_keeps_that_end(folder: SweepFolder) -> None:
    queue = queue_of(folder)
    attempt, trial = queue.take()
    record_end(folder, attempt, trial, "failed", "timeout")
    queue.lose(attempt)
    assert (queue.waiting, queue.live, queue.progress.failed) == (0, 0, 1)


def test_a_gpu_error_is_tried_in_a_new_process_then_fails_with_its_own_record(folder: SweepFolder) -> None:
    queue = queue_of(folder)
    first, trial = queue.take()
    record_end(folder, first, trial, "interrupted", "gpu-error")
    queue.lose(first)
    assert (queue.waiting, queue.live) == (1, 0)
    second, trial = queue.take()
    record_end(folder, second, trial, "interrupted", "gpu-error")
    queue.lose(second)
    assert (queue.waiting, queue.progress.failed) == (0, 1)
    lines = [line for line in records(folder.journal) if isinstance(line, Ended)]
    assert sorted(line.status for line in lines) == ["failed", "interrupted", "interrupted"]
    (failed,) = (line for line in lines if line.status == "failed")
    assert (failed.error_kind, failed.error) == ("gpu-error", "why (in 2 processes)")
    assert len({line.attempt_id for line in lines}) == 3  # an attempt has one end


def test_an_error_on_a_gpu_shared_through_mps_counts_as_the_loss_of_a_node(folder: SweepFolder) -> None:
    queue = queue_of(folder)
    for _ in range(MAX_NODE_LOSSES - 1):
        attempt, trial = queue.take()
        record_end(folder, attempt, trial, "interrupted", "node-lost")
        queue.lose(attempt)
        assert (queue.waiting, queue.live, queue.progress.failed) == (1, 0, 0)
    attempt, trial = queue.take()
    record_end(folder, attempt, trial, "interrupted", "node-lost")
    queue.lose(attempt)
    assert (queue.waiting, queue.progress.failed) == (0, 1)


def test_a_full_disk_ends_the_run_and_leaves_the_trial_pending(folder: SweepFolder) -> None:
    queue = queue_of(folder, 3)
    attempt, trial = queue.take()
    with JournalWriter(folder.journal, "node7") as journal:
        journal.append(replace(attempts.started(attempt, "test", trial, "w", "cpu"), host="node7"))
    queue.settle(attempt, End(Status.INTERRUPTED, ErrorKind.STORAGE, "No space left on device"))
    assert (queue.waiting, queue.live) == (0, 0)
    assert (queue.progress.pending, queue.progress.failed) == (3, 0)
    assert "could not write its files on node7: No space left on device" in str(queue.fault)


def test_a_journal_that_cannot_be_written_ends_the_run(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noisebench.records.durable.RETRY_SECONDS", ())
    queue = queue_of(folder, 2)
    queue.take()
    shutil.rmtree(folder.journal, ignore_errors=True)
    folder.journal.parent.mkdir(parents=True, exist_ok=True)
    folder.journal.touch()  # so that no folder can be created
    queue.close()
    assert "cannot be written" in str(queue.fault)


def test_a_trial_that_did_not_start_is_the_next_trial_again(folder: SweepFolder) -> None:
    queue = queue_of(folder, 2, NOT_STARTED)
    declined, trial = queue.take()
    queue.put_back(declined)
    lost, again = queue.take()
    assert again == trial
    queue.lose(lost)
    assert queue.take()[1] == trial
    assert (queue.waiting, queue.progress.running, queue.progress.pending) == (1, 1, 1)
    assert ends(folder) == []


def test_a_trial_that_lacks_memory_runs_once_more_with_a_larger_share(folder: SweepFolder) -> None:
    policy = RecoveryPolicy(has_larger_share=lambda _, kind: kind == "host-memory")
    queue = TrialQueue(sweep_of(seeds="3").trials(), folder, Progress(3, 0, 0, 3), policy)
    out_of_memory = End(Status.FAILED, ErrorKind.HOST_MEMORY, "too large")
    (first, trial), (second, _), (third, _) = queue.take(), queue.take(), queue.take()
    queue.settle(first, out_of_memory)
    assert not queue.larger_round()  # the others are still live
    queue.settle(second, End(Status.FAILED, ErrorKind.EXCEPTION, "broken"))
    queue.settle(third, End(Status.COMPLETED))
    assert (queue.waiting, queue.progress.pending, queue.progress.failed) == (0, 1, 1)
    assert queue.larger_round()
    assert not queue.larger_round()
    again, same = queue.take()
    assert same == trial
    queue.settle(again, out_of_memory)
    assert not queue.larger_round()
    assert (queue.progress.pending, queue.progress.failed, queue.progress.completed) == (0, 2, 1)


def test_a_driver_gives_the_larger_share_that_a_former_one_could_not_give(folder: SweepFolder) -> None:
    large, other = sweep_of(seeds="2").trials()
    lacked = {large.trial_id: ErrorKind.HOST_MEMORY}
    policy = RecoveryPolicy(has_larger_share=lambda _, __: True, lacked_memory=lacked)
    queue = TrialQueue([large, other], folder, Progress(2, 0, 0, 2), policy)
    attempt, first = queue.take()
    assert (first, queue.waiting) == (other, 0)
    queue.settle(attempt, End(Status.COMPLETED))
    assert queue.larger_round()
    again, same = queue.take()
    assert same == large
    queue.settle(again, End(Status.FAILED, ErrorKind.HOST_MEMORY, "too large"))
    assert not queue.larger_round()


def test_trials_that_lack_memory_and_their_nodes_wait_for_their_larger_share_one_by_one(
    folder: SweepFolder,
) -> None:
    trials = list(sweep_of(seeds="3").trials())
    lacked = dict.fromkeys([trial.trial_id for trial in trials], ErrorKind.HOST_MEMORY)
    lost = [Interruption(ErrorKind.NODE_LOST, datetime.now(UTC))] * SUSPECT_NODE_LOSSES
    losses = {trial.trial_id: lost for trial in trials[1:]}
    policy = RecoveryPolicy(has_larger_share=lambda _, __: True, lacked_memory=lacked, previous_losses=losses)
    queue = TrialQueue(trials, folder, Progress(3, 0, 0, 3), policy)
    assert queue.larger_round()
    (first, suspect), (second, other) = queue.take(), queue.take()
    assert (suspect, other, queue.next_trial) == (trials[1], trials[0], None)
    queue.settle(second, End(Status.COMPLETED))
    assert queue.next_trial is None
    queue.settle(first, End(Status.COMPLETED))
    assert queue.take()[1] == trials[2]


def test_a_stopped_block_gets_no_larger_share(folder: SweepFolder) -> None:
    sweep = sweep_of(seeds="10")
    trials, stops = list(sweep.trials()), Stops(sweep.blocks, folder)
    lacked = {trials[0].trial_id: ErrorKind.HOST_MEMORY}
    policy = RecoveryPolicy(has_larger_share=lambda _, kind: kind == "host-memory", lacked_memory=lacked)
    queue = TrialQueue(trials, folder, Progress(10, 0, 0, 10), policy, stops)
    for _ in range(8):
        queue.settle(queue.take()[0], End(Status.FAILED, ErrorKind.EXCEPTION, "broken"))
    assert (queue.waiting, queue.progress.pending, queue.progress.held) == (0, 2, 2)
    assert not queue.larger_round()
    under_next = TrialQueue(trials[:1], folder, Progress(10, 0, 9, 1), policy, Stops(sweep.blocks, folder))
    assert (under_next.progress.held, under_next.larger_round()) == (1, False)


def test_a_block_that_a_completion_restarts_gets_its_larger_share(folder: SweepFolder) -> None:
    sweep = sweep_of(seeds="10")
    policy = RecoveryPolicy(has_larger_share=lambda _, kind: kind == "host-memory")
    queue = TrialQueue(sweep.trials(), folder, Progress(10, 0, 0, 10), policy, Stops(sweep.blocks, folder))
    (large, trial), (other, _) = queue.take(), queue.take()
    for _ in range(8):
        queue.settle(queue.take()[0], End(Status.FAILED, ErrorKind.EXCEPTION, "broken"))
    queue.settle(large, End(Status.FAILED, ErrorKind.HOST_MEMORY, "too large"))
    assert queue.progress.held == 1
    queue.settle(other, End(Status.COMPLETED))
    assert (queue.progress.held, queue.larger_round()) == (0, True)
    assert queue.take()[1] == trial


def test_a_trial_that_cannot_have_a_larger_share_waits_with_the_others(folder: SweepFolder) -> None:
    (trial,) = sweep_of(seeds="1").trials()
    policy = RecoveryPolicy(lacked_memory={trial.trial_id: ErrorKind.GPU_MEMORY})
    assert TrialQueue([trial], folder, Progress(1, 0, 0, 1), policy).waiting == 1


def test_the_rest_of_a_stopped_block_is_held_back_until_a_trial_completes(folder: SweepFolder) -> None:
    sweep = sweep_of(seeds="12")
    stops = Stops(sweep.blocks, folder)
    queue = TrialQueue(sweep.trials(), folder, Progress(12, 0, 0, 12), stops=stops)
    taken = [queue.take()[0] for _ in range(9)]
    for attempt in taken[:8]:
        queue.settle(attempt, End(Status.FAILED, ErrorKind.EXCEPTION, "broken"))
    assert (queue.waiting, queue.live, queue.progress.held) == (0, 1, 3)
    assert queue.progress.stopped == {"grid": "exception: broken"}
    queue.settle(taken[8], End(Status.COMPLETED))
    assert (queue.waiting, queue.progress.held, queue.progress.stopped) == (3, 0, {})


def test_repeated_failed_starts_end_the_run_but_fail_no_trial(folder: SweepFolder) -> None:
    queue = queue_of(folder, 3, NOT_STARTED)
    for _ in range(queue.policy.max_failed_starts):
        assert queue.fault is None
        queue.lose(queue.take()[0])
    assert "processes in a row ended before their trials began" in str(queue.fault)
    assert (queue.waiting, queue.live) == (0, 0)
    assert (queue.progress.pending, queue.progress.failed) == (3, 0)
    assert ends(folder) == []


def test_seven_lost_nodes_of_32_starting_processes_do_not_end_a_run_on_64_nodes() -> None:
    assert RecoveryPolicy().max_failed_starts > MAX_FAILED_STARTS
    assert replace(RecoveryPolicy(), places=64 * 32).max_failed_starts > 7 * 32


def test_tune_can_pickle_a_queue_whose_progress_cannot_be_pickled(folder: SweepFolder) -> None:
    progress = Progress(1, 0, 0, 1, on_change=lambda _: None)
    queue = TrialQueue(sweep_of().trials(), folder, progress)
    assert len(pickle.dumps(queue)) < 200
