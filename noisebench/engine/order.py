"""Which trials of a sweep are to be run, in which order."""

from collections.abc import Iterable, Mapping

from noisebench.sweep.trial import Trial


def pending_trials(
    trials: Iterable[Trial], states: Mapping[str, str], *, include_failed: bool
) -> list[Trial]:
    """Return the trials without a result, seed 0 of every configuration first.

    So tables fill evenly, and a configuration that cannot work shows in the first minutes. `states` maps
    trial ids to completed, failed or anything else; what it does not name was never started.
    """
    settled = {"completed"} if include_failed else {"completed", "failed"}
    waiting = [trial for trial in trials if states.get(trial.trial_id) not in settled]
    return sorted(waiting, key=lambda trial: trial.seed)  # stable: within a seed, the order of the sweep
