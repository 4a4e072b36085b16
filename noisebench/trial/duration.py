"""Estimates and limits of a trial's duration."""

from __future__ import annotations

from noisebench.catalogue.datasets import dataset
from noisebench.catalogue.detectors import descriptor_of
from noisebench.sweep.cost import CPU_RATES, V100_RATES, seconds_for
from noisebench.sweep.trial import Trial

# An unfinished fit is checkpointed at the end of an epoch, at most this often.
CHECKPOINT_SECONDS = 60.0
# An estimate may be too low by this factor.
ESTIMATE_MARGIN = 1.5
# A new node has at least this share of its time left.
FRESH_NODE_SHARE = 0.9
# A trial that takes longer than this many estimates counts as stuck.
ALLOWED_ESTIMATES = 10
MIN_ALLOWANCE_SECONDS = 10 * 60


def estimated_seconds(trial: Trial, *, gpu: bool) -> float:
    """Return the estimate for a V100, or for one CPU thread."""
    return seconds_for(trial, V100_RATES if gpu else CPU_RATES)


def allowance_seconds(trial: Trial, *, gpu: bool, minutes: float | None = None) -> float:
    """Return the time limit of a trial: `minutes`, else ten estimates, at least ten minutes."""
    if minutes is not None:
        return 60 * minutes
    return max(MIN_ALLOWANCE_SECONDS, ALLOWED_ESTIMATES * estimated_seconds(trial, gpu=gpu))


def seconds_at_risk(trial: Trial, *, gpu: bool) -> float:
    """Return the most work, in seconds, that an interrupted trial loses: the time since its last checkpoint.

    Finished folds and runs are checkpointed, and epochs of unfinished ones at most every
    `CHECKPOINT_SECONDS`.
    """
    single_fit = dataset(trial.dataset.name).training_samples
    fits = 1 if single_fit else descriptor_of(trial.detector).training.fits_of(trial.detector)
    fit = estimated_seconds(trial, gpu=gpu) / fits
    epoch = fit / trial.training.epochs
    return epoch if epoch >= CHECKPOINT_SECONDS else min(fit, epoch + CHECKPOINT_SECONDS)


def time_suffices(seconds: float, left: float, whole: float | None) -> bool:
    """Whether work of `seconds`, with a margin, fits into the seconds `left` on a node.

    Work that does not fit into the `whole` time of a new node either is accepted.
    """
    needed = ESTIMATE_MARGIN * seconds
    return needed <= left or (whole is not None and needed > FRESH_NODE_SHARE * whole)
