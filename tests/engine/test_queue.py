"""The queue's account of trials that end, and of those that lose their process."""

from pathlib import Path

from noisebench.engine.progress import Progress
from noisebench.engine.queue import TrialQueue
from noisebench.trial.journal import records
from noisebench.trial.layout import ResultsFolder
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
    queue.settle(first, "completed")
    queue.settle(second, "failed")
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
