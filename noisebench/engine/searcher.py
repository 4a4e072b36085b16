"""Feeds Ray Tune from the queue, one trial whenever a place is free."""

from __future__ import annotations

from typing import Any

from ray.tune.search import Searcher

from noisebench.engine.places import Places
from noisebench.engine.queue import TrialQueue
from noisebench.records.attempts import End, ErrorKind, Status

# The status of a result with which an actor returns its trial: its worker leaves. The actor runs no other.
DECLINED = "declined"
# Sums of parts such as 1/3 are not exact.
_ROUNDING = 1e-6


class QueueSearcher(Searcher):
    """Suggests pending trials lazily, so that Tune holds only those that run or ran.

    The trials that are out never take more than the machines of `places` hold. An actor that has declined a
    trial keeps its place until it ends.
    """

    def __init__(self, queue: TrialQueue, places: Places) -> None:
        super().__init__()
        self._queue = queue
        self._places = places
        self._attempts: dict[str, str] = {}
        self._parts: dict[str, float] = {}

    def suggest(self, trial_id: str) -> Any:
        """Return the config of the next trial; FINISHED once nothing waits and nothing runs.

        A trial that runs may lose its process and wait again, so the end is not known before. If Tune gets
        None ("ask again") while it runs nothing, it asks every second.
        """
        self._queue.explain_losses()
        trial = self._queue.next_trial
        if trial is None:
            return None if self._queue.live else Searcher.FINISHED
        part = self._places.share_for(trial).part
        if self._parts and sum(self._parts.values()) + part > self._places.machines() + _ROUNDING:
            return None
        attempt_id, trial = self._queue.take()
        self._attempts[trial_id], self._parts[trial_id] = attempt_id, part
        previous = self._queue.previous_journal(trial)
        return {
            "trial": trial.as_fields(),
            "attempt": attempt_id,
            "part": part,
            "previous_journal": None if previous is None else str(previous),
            "sharing": self._queue.sharing(trial).as_fields(),
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Put a declined trial back at once; its actor keeps the place and waits for the end of its node."""
        attempt_id = self._attempts.pop(trial_id, None)
        if attempt_id is not None and result.get("status") == DECLINED:
            self._queue.put_back(attempt_id)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the queue how an attempt ended; an error here means that its process died."""
        self._parts.pop(trial_id, None)
        attempt_id = self._attempts.pop(trial_id, None)
        if attempt_id is None:
            return
        if error or not result or "status" not in result:
            self._queue.lose(attempt_id)
        else:
            self._queue.settle(attempt_id, _end_of(result))

    @property
    def is_done(self) -> bool:
        """Whether all trials have ended, though actors that declined one may still wait."""
        return not self._queue.waiting and not self._queue.live

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: what is pending is derived from the journal."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing; see `save`."""


def _end_of(result: dict[str, Any]) -> End:
    kind = result["error_kind"]
    return End(Status(result["status"]), None if kind is None else ErrorKind(kind), result["error"])
