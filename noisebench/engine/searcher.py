"""Feeds Ray Tune from the queue, one trial whenever a place is free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher

from noisebench.engine.queue import TrialQueue
from noisebench.records.attempts import End
from noisebench.sweep.trial import Trial

# What a worker answers instead of running a trial that its remaining time cannot hold.
DECLINED = "declined"


class QueueSearcher(Searcher):
    """Suggests pending trials lazily, so that Tune holds only those that run or ran.

    `part_of` tells which part of its node a trial gets, from 0 to 1.
    """

    def __init__(self, queue: TrialQueue, part_of: Callable[[Trial], float]) -> None:
        super().__init__()
        self._queue = queue
        self._part_of = part_of
        self._attempts: dict[str, str] = {}

    def suggest(self, trial_id: str) -> Any:
        """Return the config of the next trial; FINISHED once nothing waits and nothing runs.

        While a trial runs it may lose its process and wait again, so the end is not known before. None
        ("ask again") is safe only then: with nothing live, Tune would block on it for minutes.
        """
        if not self._queue.waiting:
            return None if self._queue.live else Searcher.FINISHED
        attempt_id, trial = self._queue.take()
        self._attempts[trial_id] = attempt_id
        return {
            "trial": trial.as_fields(),
            "attempt": attempt_id,
            "part": self._part_of(trial),
            "doubtful": trial.trial_id in self._queue.doubtful,
        }

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the queue how an attempt ended; an error here means that its process died."""
        attempt_id = self._attempts.pop(trial_id, None)
        if attempt_id is None:
            return
        if error or not result or "status" not in result:
            self._queue.lose(attempt_id)
        elif result["status"] == DECLINED:
            self._queue.put_back(attempt_id)
        else:
            self._queue.settle(attempt_id, End(result["status"], result["error_kind"], result["error"]))

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: what is pending is derived from the journal."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing; see `save`."""
