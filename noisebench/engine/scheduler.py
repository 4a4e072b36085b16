"""Which trial Ray Tune gives to an actor that is free, which trials it may forget."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

# What is still heard of an actor may concern the trial that it has just ended.
_ENDED_TRIALS_KEPT = 200
# Where Tune keeps trials; nothing public lets it forget one.
BOOKS = ("_trials", "_stopped_trials", "_failed_trials", "_trials_to_cache", "_trial_metadata")


class NewcomerScheduler(FIFOScheduler):
    """Gives a free actor a trial that no other actor is being started for.

    Tune itself gives it the oldest trial that waits, and if an actor is being started for that one, ends
    that actor. Where trials take less time than an actor's start, a worker that joins later, or after a
    fault, then never gets its first actor up. Not reading all trials at each step, it is also faster.

    Tune would also keep what it knows of each trial to the end, 50 kB: here it forgets the trials that have
    ended but for the newest, so that its memory does not grow with their number.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ended: dict[Trial, None] = {}  # in the order of their ends

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Note a trial that has ended."""
        super().on_trial_complete(tune_controller, trial, result)
        self._note_ended(tune_controller, trial)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Note a trial whose process died; Tune may begin it anew."""
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
        """Return a waiting trial without an actor, None where all have one."""
        # Nothing public tells for which trials Tune is starting actors.
        with_actor = tune_controller._trial_to_actor
        live: Iterable[Trial] = tune_controller.get_live_trials()
        for trial in live:
            if trial.status == Trial.PENDING and trial not in with_actor:
                return trial
        return None


def _forget(controller: Any, trial: Trial) -> None:
    """Remove an ended trial and its folders from wherever Tune keeps them.

    A release of Ray with other books keeps its trials: memory is no reason to stop a sweep.
    """
    if not all(hasattr(controller, book) for book in BOOKS):
        return
    if not trial.is_finished() or trial in controller._trial_to_actor:  # type: ignore[no-untyped-call]
        return  # Tune began it anew: its node had to leave
    controller._trials.remove(trial)
    for trials in (controller._stopped_trials, controller._failed_trials, controller._trials_to_cache):
        trials.discard(trial)
    controller._trial_metadata.pop(trial.trial_id, None)
    for folder in filter(None, (trial.local_path, trial.path)):
        shutil.rmtree(folder, ignore_errors=True)
