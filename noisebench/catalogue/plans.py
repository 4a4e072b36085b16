"""The plans of training: which models a detector's evidence needs.

An implementation is `(surrogate, needs) -> Evidence`: it plans the fits, trains them and keeps the arrays
that `needs` names. Trials with equal data, corruption, loss, training, seed and plan share their evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from noisebench.catalogue.component import Component
from noisebench.catalogue.descriptor import Descriptor, by_name
from noisebench.catalogue.parameters import FROM_RECIPE, Parameter, choice, integer, number


@dataclass(frozen=True, kw_only=True)
class Plan(Descriptor):
    """A plan of training; every detector on it has its parameters.

    Its cost: `fits` names the parameter that counts the models (None: `models`). Each is trained on all
    samples; with `held_out` on all but its fold, whose samples it then classifies. `separate_training`: it
    works with data sets that have a separate training part. `evaluates`: it evaluates all samples after each
    epoch, whatever the detector reads.
    """

    fits: str | None = None
    models: int = 1
    held_out: bool = False
    separate_training: bool = False
    evaluates: bool = False

    def fits_of(self, detector: Component) -> int:
        """Return how many models a trial with this detector trains."""
        return self.models if self.fits is None else detector[self.fits] or 1

    def passes(self, detector: Component) -> int:
        """Return how many times each sample is trained on in an epoch, over all models."""
        fits = self.fits_of(detector)
        return fits - 1 if self.held_out and fits > 1 else fits


_RATE = number(None, 0, 1, open_low=True, open_high=True, optional=True)


def _two_networks(name: str, parameters: Mapping[str, Parameter]) -> Plan:
    """Return a plan of two networks that train each other; without `rate` they estimate it."""
    return Plan(
        name=name,
        implementation=f"noisebench.detectors.two_networks:gather_{name.replace('-', '_')}",
        parameters={
            "rate": _RATE,
            "gradual": integer(10, 1),
            **parameters,
        },
        models=2,
    )


PLANS = by_name(
    Plan(
        name="folds",
        implementation="noisebench.detectors.cross_validation:gather",
        parameters={"folds": integer(FROM_RECIPE, 2)},
        fits="folds",
        held_out=True,
        separate_training=True,
    ),
    Plan(name="single", implementation="noisebench.detectors.single_run:gather"),
    Plan(
        name="aum-runs",
        implementation="noisebench.detectors.margin_runs:gather",
        parameters={
            "runs": integer(2, 2),
            "skip_epochs": integer(1, 0),
            "threshold": choice("code", "code", "paper"),
            "implementation": choice("noisebench", "noisebench", "aum-package"),
        },
        fits="runs",
    ),
    _two_networks("co-teaching", {}),
    _two_networks("cnlcu-s", {"window": integer(3, 1), "variance": number(1e-4, 0, 1, open_high=True)}),
    _two_networks("cnlcu-h", {"window": integer(7, 1), "scale": number(1e-4, 0), "bound": number(2, 0)}),
    Plan(
        name="late-stopping",
        implementation="noisebench.detectors.late_stopping:gather",
        parameters={"rate": _RATE, "rounds": integer(12, 1), "skip_epochs": integer(7, 0)},
        fits="rounds",
        evaluates=True,
    ),
    Plan(
        name="selnlpl-schedule",
        implementation="noisebench.detectors.negative_learning:gather",
        parameters={"epochs": integer(10, 1), "gamma": number(0.5, 0, 1)},
    ),
)
