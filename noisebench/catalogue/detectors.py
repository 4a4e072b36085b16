"""The detectors that a sweep can name.

An implementation takes the trial's training to a `Judgement`: it plans the fits, trains them and reads the
flags from what they leave.
"""

from __future__ import annotations

from dataclasses import dataclass

from noisebench.catalogue.component import Component
from noisebench.catalogue.descriptor import Descriptor, by_name
from noisebench.catalogue.parameters import FROM_RECIPE, choice, integer, number


@dataclass(frozen=True, kw_only=True)
class DetectorDescriptor(Descriptor):
    """A detector.

    Its cost: `fits` names the parameter that counts the models it trains (None: one model). Each is trained
    on all samples; with `held_out` on all but its fold, whose samples it then classifies.
    `separate_training`: it works with data sets that have a separate training part.
    """

    fits: str | None = None
    held_out: bool = False
    separate_training: bool = False

    def fits_of(self, detector: Component) -> int:
        """Return how many models a trial with this detector trains."""
        return 1 if self.fits is None else detector[self.fits] or 1

    def passes(self, detector: Component) -> int:
        """Return how many times each sample is trained on in an epoch, over all models."""
        fits = self.fits_of(detector)
        return fits - 1 if self.held_out and fits > 1 else fits


DEFAULT = "confident-learning"

DETECTORS = by_name(
    DetectorDescriptor(
        name="confident-learning",
        implementation="noisebench.detectors.cross_validation:judge",
        parameters={
            "folds": integer(FROM_RECIPE, 2),
            "prune": choice("both", "class", "noise-rate", "both"),
        },
        fits="folds",
        held_out=True,
        separate_training=True,
        source="Northcutt et al. 2021",
    ),
    DetectorDescriptor(
        name="aum",
        implementation="noisebench.detectors.margin_runs:judge",
        parameters={
            "runs": integer(2, 2),
            "percentile": number(99, 0, 100),
            "skip_epochs": integer(1, 0),
            "threshold": choice("code", "code", "paper"),
            "implementation": choice("noisebench", "noisebench", "aum-package"),
        },
        fits="runs",
        source="Pleiss et al. 2020",
    ),
    DetectorDescriptor(
        name="ctrl",
        implementation="noisebench.detectors.loss_curves:judge_by_ctrl",
        source="Yue & Jha 2024",
    ),
    DetectorDescriptor(
        name="small-loss",
        implementation="noisebench.detectors.loss_curves:judge_by_small_loss",
        parameters={"share": number(None, 0, 1, open_low=True, open_high=True, optional=True)},
        source="Han et al. 2018; without `share` Li et al. 2020",
    ),
    DetectorDescriptor(
        name="none",
        implementation="noisebench.detectors.loss_curves:judge_nothing",
    ),
)
