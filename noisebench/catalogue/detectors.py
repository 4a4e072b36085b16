"""The detectors that a sweep can name.

A detector is a plan, which says what is trained, and an implementation `(evidence, detector) -> Judgement`, a
pure function of the evidence that the training leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

from noisebench.catalogue.component import Component
from noisebench.catalogue.descriptor import Descriptor, by_name
from noisebench.catalogue.parameters import Parameter, choice, number
from noisebench.catalogue.plans import PLANS, Plan

IN_PASSING, AFTER_EPOCH = "in-passing", "after-epoch"
TRACES = ("losses", "margins", "predicted", "squared_errors", "squared_norms")


@dataclass(frozen=True, kw_only=True)
class DetectorDescriptor(Descriptor):
    """A detector on the plan named `plan`.

    `needs` names the arrays of `science.evidence` that it reads beyond those that every evidence has; a trace
    by its bare name. A parameter with the name of an array is the size that it needs.
    """

    plan: str
    needs: tuple[str, ...] = ()

    @property
    def training(self) -> Plan:
        """The plan of its training."""
        return PLANS[self.plan]

    def needs_of(self, detector: Component) -> dict[str, int]:
        """Return the arrays that this detector reads, by name, with their sizes (1 where it has none).

        Traces are of the kind that its parameter `traces` names.
        """
        kind = detector.get("traces", IN_PASSING)
        names = (f"{kind}.{name}" if name in TRACES else name for name in self.needs)
        return {name: int(detector.get(name) or 1) for name in names}


def _traces(default: str = IN_PASSING, *, implied: bool = False) -> dict[str, Parameter]:
    return {"traces": choice(default, IN_PASSING, AFTER_EPOCH, implied=implied)}


DEFAULT = "confident-learning"

DETECTORS = by_name(
    DetectorDescriptor(
        name="confident-learning",
        plan="folds",
        implementation="noisebench.detectors.cross_validation:judge",
        parameters={**PLANS["folds"].parameters, "prune": choice("both", "class", "noise-rate", "both")},
        needs=("probabilities",),
        source="Northcutt et al. 2021",
    ),
    DetectorDescriptor(
        name="aum",
        plan="aum-runs",
        implementation="noisebench.detectors.margin_runs:judge",
        parameters={"percentile": number(99, 0, 100), **PLANS["aum-runs"].parameters},
        needs=("margins_of_runs",),
        source="Pleiss et al. 2020",
    ),
    DetectorDescriptor(
        name="ctrl",
        plan="single",
        implementation="noisebench.detectors.single_run:judge_by_ctrl",
        parameters=_traces(implied=True),
        needs=("losses",),
        source="Yue & Jha 2024, with `traces: after-epoch`",
    ),
    DetectorDescriptor(
        name="small-loss",
        plan="single",
        implementation="noisebench.detectors.single_run:judge_by_small_loss",
        parameters={
            "share": number(None, 0, 1, open_low=True, open_high=True, optional=True),
            **_traces(implied=True),
        },
        needs=("losses",),
        source="Han et al. 2018; without `share` Li et al. 2020, with `traces: after-epoch`",
    ),
    DetectorDescriptor(
        name="none",
        plan="single",
        implementation="noisebench.detectors.single_run:judge_nothing",
    ),
)
