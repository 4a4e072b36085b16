"""Chooses the next trial for Ray Tune, and keeps the memory of Tune's driver bounded."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

# Late events of an actor may concern the trial that it has just ended.
_ENDED_TRIALS_KEPT = 200
# Where Tune's controller keeps trials. It has no public way to remove one.
TUNE_TRIAL_ATTRIBUTES = (
    "_trials",
    "_stopped_trials",
    "_failed_trials",
    "_trials_to_cache",
    "_trial_metadata",
)


class QueueScheduler(FIFOScheduler):
    """Gives a free actor a trial for which no other actor is being started.

    Tune's FIFO scheduler gives it the oldest waiting trial. If an actor is being started for that trial,
    Tune stops this actor: where trials are shorter than the start of an actor, a worker that joins late
    never gets its first actor up. This scheduler also does not read all trials at each step.

    Tune keeps 50 kB for each ended trial. This scheduler removes all but the newest of them.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ended: dict[Trial, None] = {}  # in the order of their ends

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Count a trial that has ended."""
        super().on_trial_complete(tune_controller, trial, result)
        self._note_ended(tune_controller, trial)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Count a trial whose process died."""
        super().on_trial_error(tune_controller, trial)
        self._note_ended(tune_controller, trial)

    def _note_ended(self, controller: Any, trial: Trial) -> None:
        self._ended.pop(trial, None)
        self._ended[trial] = None
        while len(self._ended) > _ENDED_TRIALS_KEPT:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            _forget(controller, oldest)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Return a waiting trial without an actor, None if all have one."""
        # Tune has no public way to tell for which trials it is starting actors.
        with_actor = tune_controller._trial_to_actor
        live: Iterable[Trial] = tune_controller.get_live_trials()
        for trial in live:
            if trial.status == Trial.PENDING and trial not in with_actor:
                return trial
        return None


def _forget(controller: Any, trial: Trial) -> None:
    """Remove an ended trial and its folders from Tune's controller.

    If Ray renames these attributes, skip the cleanup.
    """
    if not all(hasattr(controller, name) for name in TUNE_TRIAL_ATTRIBUTES):
        return
    if not trial.is_finished() or trial in controller._trial_to_actor:  # type: ignore[no-untyped-call]
        return  # Tune has restarted it
    controller._trials.remove(trial)
    for trials in (controller._stopped_trials, controller._failed_trials, controller._trials_to_cache):
        trials.discard(trial)
    controller._trial_metadata.pop(trial.trial_id, None)
    for folder in filter(None, (trial.local_path, trial.path)):
        shutil.rmtree(folder, ignore_errors=True)
