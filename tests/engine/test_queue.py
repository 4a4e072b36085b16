"""The queue's account of trials that end, and of those that lose their process."""

from pathlib import Path

from noisebench.engine.deaths import Death
from noisebench.engine.progress import Progress
from noisebench.engine.queue import MOST_STARTS_IN_VAIN, TrialQueue
from noisebench.engine.stops import Stops
from noisebench.records import attempts
from noisebench.records.attempts import End
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter, records
from tests.trials import sweep_of


def queue_of(tmp_path: Path, seeds: int) -> TrialQueue:
    trials = list(sweep_of(seeds=str(seeds)).trials())
    return TrialQueue(trials, ResultsFolder(tmp_path), "test", Progress(seeds, 0, 0, seeds))


def ends(tmp_path: Path) -> list[tuple[str, str]]:
    return [(r["status"], r["error_kind"]) for r in records(ResultsFolder(tmp_path).journal / "test")]


def test_trials_are_handed_out_once_each_under_ids_of_their_own(tmp_path: Path) -> None:
    queue = queue_of(tmp_path, 2)
    (first, one), (second, two) = queue.take(), queue.take()
    assert (one.seed, two.seed) == (0, 1)
    assert first != second
    assert (queue.waiting, queue.live) == (0, 2)
    queue.settle(first, End("completed"))
    queue.settle(second, End("failed", "exception", "no"))
    assert (queue.progress.completed, queue.progress.failed, queue.progress.running) == (1, 1, 0)
    queue.close()
    assert ends(tmp_path) == []  # their own processes recorded the ends


def test_a_lost_trial_waits_again_once_then_fails_as_host_memory(tmp_path: Path) -> None:
    queue = queue_of(tmp_path, 2)
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
    assert ends(tmp_path) == [("interrupted", "node-lost"), ("failed", "host-memory")]


def test_closing_records_what_still_runs_as_cancelled(tmp_path: Path) -> None:
    queue = queue_of(tmp_path, 2)
    queue.take()
    queue.close()
    assert ends(tmp_path) == [("interrupted", "cancelled")]


def test_an_attempt_that_recorded_its_end_before_it_died_is_no_death(tmp_path: Path) -> None:
    queue = queue_of(tmp_path, 1)
    attempt, trial = queue.take()
    with JournalWriter(ResultsFolder(tmp_path).journal / "test", "host") as journal:
        journal.append(attempts.ended(attempt, "test", trial.trial_id, "failed", error_kind="timeout"))
    queue.lose(attempt)
    assert (queue.waiting, queue.live, queue.progress.failed) == (0, 0, 1)
    assert ends(tmp_path) == [("failed", "timeout")]


def test_a_trial_that_was_never_begun_is_the_next_one_again(tmp_path: Path) -> None:
    queue = queue_of(tmp_path, 2)
    declined, trial = queue.take()
    queue.put_back(declined)
    lost, again = queue.take()
    assert again == trial
    queue.judge = lambda _: Death("node-lost", "gone", counts=False, began=False)
    queue.lose(lost)
    assert queue.take()[1] == trial
    assert (queue.waiting, queue.progress.running, queue.progress.pending) == (1, 1, 1)
    assert ends(tmp_path) == []


def test_what_lacks_memory_has_one_more_round(tmp_path: Path) -> None:
    queue = queue_of(tmp_path, 3)
    queue.has_more = lambda _, kind: kind == "host-memory"
    lacking = End("failed", "host-memory", "too large")
    (first, trial), (second, _), (third, _) = queue.take(), queue.take(), queue.take()
    queue.settle(first, lacking)
    assert not queue.larger_round()  # the others are still live
    queue.settle(second, End("failed", "exception", "broken"))
    queue.settle(third, End("completed"))
    assert (queue.waiting, queue.progress.pending, queue.progress.failed) == (0, 1, 1)
    assert queue.larger_round()
    assert not queue.larger_round()
    again, same = queue.take()
    assert same == trial
    queue.settle(again, lacking)
    assert not queue.larger_round()
    assert (queue.progress.pending, queue.progress.failed, queue.progress.completed) == (0, 2, 1)


def test_the_rest_of_a_stopped_block_is_held_back_until_a_trial_completes(tmp_path: Path) -> None:
    sweep, results = sweep_of(seeds="12"), ResultsFolder(tmp_path)
    stops = Stops(sweep.blocks, results, "test")
    queue = TrialQueue(sweep.trials(), results, "test", Progress(12, 0, 0, 12), stops)
    taken = [queue.take()[0] for _ in range(9)]
    for attempt in taken[:8]:
        queue.settle(attempt, End("failed", "exception", "broken"))
    assert (queue.waiting, queue.live, queue.progress.held) == (0, 1, 3)
    assert queue.progress.stopped == {"grid": "exception: broken"}
    queue.settle(taken[8], End("completed"))
    assert (queue.waiting, queue.progress.held, queue.progress.stopped) == (3, 0, {})


def test_trials_that_never_begin_end_the_run_not_the_trials(tmp_path: Path) -> None:
    queue = queue_of(tmp_path, 3)
    queue.judge = lambda _: Death("node-lost", "the worker went", counts=False, began=False)
    for _ in range(MOST_STARTS_IN_VAIN):
        assert not queue.cannot_start
        attempt, _ = queue.take()
        queue.lose(attempt)
    assert queue.cannot_start
    assert (queue.waiting, queue.live) == (0, 0)
    assert (queue.progress.pending, queue.progress.failed) == (3, 0)
    assert ends(tmp_path) == []


def test_a_process_that_ended_itself_over_time_is_no_death_for_a_second_try(tmp_path: Path) -> None:
    queue = queue_of(tmp_path, 1)
    queue.is_overdue = lambda _: True
    queue.lose(queue.take()[0])
    assert (queue.waiting, queue.progress.failed) == (0, 1)
    assert ends(tmp_path) == [("failed", "timeout")]
