"""Counts, rate and time left of a running sweep."""

import time

from noisebench.cli.live import describe
from noisebench.engine.progress import Progress
from noisebench.records.attempts import Status


def test_each_change_of_the_counts_calls_back() -> None:
    seen = []
    progress = Progress(
        5, 1, 0, 4, on_change=lambda p: seen.append((p.completed, p.failed, p.running, p.pending))
    )
    progress.started()
    progress.started()
    progress.settled(Status.COMPLETED)
    progress.settled(Status.FAILED)
    progress.started()
    progress.returned()
    assert seen == [(1, 0, 1, 3), (1, 0, 2, 2), (2, 0, 1, 2), (2, 1, 0, 2), (2, 1, 1, 1), (2, 1, 0, 2)]


def test_time_left_follows_the_rate_of_this_run() -> None:
    progress = Progress(10, 4, 0, 6, begun=time.monotonic() - 100)
    assert progress.eta_seconds is None
    progress.started()
    progress.settled(Status.COMPLETED)
    assert 35 < progress.rate_per_hour <= 36
    assert progress.eta_seconds is not None
    assert 500 <= progress.eta_seconds < 510


def test_trials_of_stopped_blocks_do_not_count_in_the_time_left() -> None:
    progress = Progress(10, 0, 8, 2, held=2, settled_here=8, begun=time.monotonic() - 80)
    progress.stopped["grid"] = "exception: broken"
    assert progress.eta_seconds == 0
    assert "2 pending, 2 of them in stopped blocks (grid)" in describe(progress)
