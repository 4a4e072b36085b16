"""The trials that lacked memory and are to be tried once more with a larger share of a machine."""

from __future__ import annotations

from collections.abc import Iterable

from noisebench.engine.recovery import RecoveryPolicy
from noisebench.engine.stops import Stops
from noisebench.records.attempts import End
from noisebench.sweep.trial import Trial


class LargerShares:
    """The trials set aside for the round with larger shares; each has one attempt in it.

    It begins with the trials that have waited since a former driver. Those that share evidence with a trial
    that lacked memory train the same and would lack it too.
    """

    def __init__(self, trials: Iterable[Trial], policy: RecoveryPolicy) -> None:
        trials = list(trials)
        kinds = policy.lacked_memory
        failed = (trial for trial in trials if trial.trial_id in kinds)
        lacking = {each.evidence_id for each in failed if policy.has_larger_share(each, kinds[each.trial_id])}
        self._policy = policy
        self._aside = {trial.trial_id: trial for trial in trials if trial.evidence_id in lacking}
        self._had_one: set[str] = set()

    def __contains__(self, trial: Trial) -> bool:
        return trial.trial_id in self._aside

    def wanted_by(self, trial: Trial, end: End) -> bool:
        """Whether the trial ended for lack of memory, and a larger share exists that it has not had."""
        if end.error_kind is None or trial.trial_id in self._had_one:
            return False
        return self._policy.has_larger_share(trial, end.error_kind)

    def set_aside(self, trials: Iterable[Trial]) -> None:
        """Keep these trials for the next round."""
        self._aside.update((trial.trial_id, trial) for trial in trials)

    def held(self, stops: Stops) -> int:
        """Return how many of them belong to stopped blocks."""
        return sum(not stops.lets_run(trial) for trial in self._aside.values())

    def hand_over(self, stops: Stops) -> list[Trial]:
        """Return the trials of the next round, which are no longer aside; those of stopped blocks stay."""
        ready = [trial for trial in self._aside.values() if stops.lets_run(trial)]
        for trial in ready:
            del self._aside[trial.trial_id]
            self._had_one.add(trial.trial_id)
        return ready
