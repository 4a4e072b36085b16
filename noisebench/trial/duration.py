"""Estimates and limits of a trial's duration."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from noisebench.catalogue.datasets import dataset
from noisebench.catalogue.detectors import descriptor_of
from noisebench.sweep.cost import OVERHEAD_SECONDS, catalogued_seconds
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
MAX_JUDGEMENT_SECONDS = 60 * 60


@dataclass(frozen=True)
class Work:
    """What an attempt does: it trains, and gathers the arrays `needs`, or it only judges kept evidence."""

    trial: Trial
    gpu: bool
    needs: Collection[str] = ()
    judges: bool = False


def estimated_seconds(work: Work) -> float:
    """Return the estimate for a V100, or for one CPU thread."""
    if work.judges:
        return OVERHEAD_SECONDS
    return catalogued_seconds(work.trial, gpu=work.gpu, needs=work.needs)


def allowance_seconds(work: Work, minutes: float | None = None) -> float:
    """Return the time limit of an attempt: `minutes`, else ten estimates, at least ten minutes.

    An attempt that only judges may take an hour, but no longer than if it trained.
    """
    if minutes is not None:
        return 60 * minutes
    trains = replace(work, judges=False)
    seconds = max(MIN_ALLOWANCE_SECONDS, ALLOWED_ESTIMATES * estimated_seconds(trains))
    return min(seconds, MAX_JUDGEMENT_SECONDS) if work.judges else seconds


def seconds_at_risk(work: Work) -> float:
    """Return the most work, in seconds, that an interrupted trial loses: the time since its last checkpoint.

    Finished folds and runs are checkpointed, and epochs of unfinished ones at most every
    `CHECKPOINT_SECONDS`. Models that are trained together finish together.
    """
    if work.judges:
        return estimated_seconds(work)
    plan = descriptor_of(work.trial.detector).training
    single_fit = dataset(work.trial.dataset.name).training_samples or plan.fits is None
    fits = 1 if single_fit else plan.fits_of(work.trial.detector)
    fit = estimated_seconds(work) / fits
    epoch = fit / work.trial.training.epochs
    return epoch if epoch >= CHECKPOINT_SECONDS else min(fit, epoch + CHECKPOINT_SECONDS)


def time_suffices(seconds: float, left: float, whole: float | None) -> bool:
    """Whether work of `seconds`, with a margin, fits into the seconds `left` on a node.

    Work that does not fit into the `whole` time of a new node either is accepted.
    """
    needed = ESTIMATE_MARGIN * seconds
    return needed <= left or (whole is not None and needed > FRESH_NODE_SHARE * whole)
