"""Which trial Ray Tune gives to an actor that is free."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler


class NewcomerScheduler(FIFOScheduler):
    """Gives a free actor a trial that no other actor is being started for.

    Tune itself gives it the oldest trial that waits, and if an actor is being started for that one, ends
    that actor. Where trials take less time than an actor's start, a worker that joins later, or after a
    fault, then never gets its first actor up. Not reading all trials at each step, it is also faster.
    """

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Return a waiting trial without an actor, None where all have one."""
        # Nothing public tells for which trials Tune is starting actors.
        with_actor = tune_controller._trial_to_actor
        live: Iterable[Trial] = tune_controller.get_live_trials()
        for trial in live:
            if trial.status == Trial.PENDING and trial not in with_actor:
                return trial
        return None
