"""How long a trial is expected to take on the device at hand."""

from __future__ import annotations

from noisebench.catalogue.datasets import dataset
from noisebench.catalogue.detectors import DETECTORS
from noisebench.sweep.cost import CPU_RATES, V100_RATES, seconds_for
from noisebench.sweep.trial import Trial

# A trial that takes longer keeps its epochs, not just its finished folds or runs.
LONG_SECONDS = 30 * 60
# How far an estimate may be off before work is lost.
ESTIMATE_MARGIN = 1.5
# A node that has just come to us has at least this part of its time left.
MOST_OF_A_NODE = 0.9
# No estimate is so wrong: what takes longer hangs.
ALLOWED_TIMES = 10
LEAST_ALLOWANCE_SECONDS = 10 * 60


def estimated_seconds(trial: Trial, *, gpu: bool) -> float:
    """Return the estimate for a GPU, as a V100, or for one thread of a CPU."""
    return seconds_for(trial, V100_RATES if gpu else CPU_RATES)


def allowance_seconds(trial: Trial, *, gpu: bool, minutes: float | None = None) -> float:
    """Return after how long a trial is given up: `minutes`, else ten estimates, at least ten minutes."""
    if minutes is not None:
        return 60 * minutes
    return max(LEAST_ALLOWANCE_SECONDS, ALLOWED_TIMES * estimated_seconds(trial, gpu=gpu))


def seconds_at_risk(trial: Trial, *, gpu: bool) -> float:
    """Return how much is lost at most when the trial is cut short: a fold or run, of a long one an epoch."""
    estimate = estimated_seconds(trial, gpu=gpu)
    at_once = dataset(trial.dataset.name).training_samples
    runs = 1 if at_once else DETECTORS[trial.detector.name].fits_of(trial.detector)
    epochs = trial.training.epochs if estimate > LONG_SECONDS else 1
    return estimate / (runs * epochs)


def time_suffices(seconds: float, left: float, whole: float | None) -> bool:
    """Whether work of so many seconds, with some margin, fits into what is left of the time a node is ours.

    What would hardly fit into the `whole` of that is let in: no other node could hold it either.
    """
    needed = ESTIMATE_MARGIN * seconds
    return needed <= left or (whole is not None and needed > MOST_OF_A_NODE * whole)
