"""What the catalogue says of a detector, and the families whose members differ in little.

A detector is a plan, which says what is trained, and an implementation `(evidence, detector) -> Judgement`, a
pure function of the evidence that the training leaves. Most are one function of arrays, their `arithmetic`,
which returns the suspicion or flags too, and a flag rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from noisebench.catalogue.component import Component
from noisebench.catalogue.descriptor import Descriptor
from noisebench.catalogue.parameters import Parameter, choice, integer, number
from noisebench.catalogue.plans import PLANS, Plan
from noisebench.errors import InputError

IN_PASSING, AFTER_EPOCH = "in-passing", "after-epoch"
TRACES = ("losses", "margins", "predicted", "squared_errors", "squared_norms")
# Trials that are older than this parameter took their traces in passing.
AUTHORS_TRACES = {"traces": choice(AFTER_EPOCH, IN_PASSING, AFTER_EPOCH, implied=IN_PASSING)}
FOLDS = PLANS["folds"].parameters
SHARE = number(None, 0, 1, open_low=True, open_high=True, optional=True)


@dataclass(frozen=True, kw_only=True)
class DetectorDescriptor(Descriptor):
    """A detector on the plan named `plan`.

    `needs` names the arrays of `science.evidence` that it reads beyond those that every evidence has; a trace
    by its bare name. `sizes` names the parameters that are the sizes of arrays. `traces` is the kind of its
    traces, unless it has a parameter `traces`. `arithmetic`: see `detectors.rules`.
    """

    plan: str
    needs: tuple[str, ...] = ()
    sizes: Mapping[str, str] = field(default_factory=dict)
    traces: str = IN_PASSING
    implementation: str = "noisebench.detectors.rules:judge"
    arithmetic: str = ""
    most_classes: int | None = None

    def check_classes(self, classes: int) -> None:
        """Raise InputError if it cannot judge labels of so many classes."""
        if self.most_classes is not None and classes > self.most_classes:
            raise InputError(
                f"detector {self.name} judges at most {self.most_classes} classes, because its memory grows "
                f"with the cube of their number, but the data have {classes}; leave it out"
            )

    @property
    def training(self) -> Plan:
        """The plan of its training."""
        return PLANS[self.plan]

    def needs_of(self, detector: Component) -> dict[str, int]:
        """Return the arrays that this detector reads, by name, with their sizes (1 where it has none).

        Traces are of the kind that its parameter `traces` names.
        """
        kind = detector.get("traces", self.traces)
        names = {name: f"{kind}.{name}" if name in TRACES else name for name in self.needs}
        sizes = {name: detector[parameter] for name, parameter in self.sizes.items()}
        return {full: sizes.get(name, 1) for name, full in names.items()}


def flags(default: str, *others: str) -> dict[str, Parameter]:
    """Return the parameters of a flag rule: its name, and the share that the rule `share` flags."""
    return {"flag": choice(default, default, *others), "share": SHARE}


def ranking(name: str, function: str, source: str) -> DetectorDescriptor:
    """Return a detector that ranks by out-of-fold probabilities."""
    return DetectorDescriptor(
        name=name,
        plan="folds",
        arithmetic=f"noisebench.science.rankings:{function}",
        parameters={**FOLDS, **flags("estimated", "share", "mixture", "posterior")},
        needs=("probabilities",),
        source=source,
    )


def dropout(name: str, function: str) -> DetectorDescriptor:
    """Return a detector of UQ-LED: confident learning on passes with dropout."""
    return DetectorDescriptor(
        name=name,
        plan="folds",
        arithmetic=f"noisebench.science.dropout_passes:{function}",
        parameters={**FOLDS, "passes": integer(5, 2)},
        needs=("passes",),
        sizes={"passes": "passes"},
        source="Jakubik et al. 2025, UQ-LED",
    )


def neighbours(
    name: str,
    function: str,
    source: str,
    extra_parameters: Mapping[str, Parameter] | None = None,
    most_classes: int | None = None,
) -> DetectorDescriptor:
    """Return a detector that compares the label with those of the nearest samples, out of fold."""
    return DetectorDescriptor(
        name=name,
        plan="folds",
        arithmetic=f"noisebench.science.neighbours:{function}",
        parameters={**FOLDS, "k": integer(10, 2), **(extra_parameters or {})},
        needs=("neighbour_labels", "neighbour_distances"),
        sizes={"neighbour_labels": "k", "neighbour_distances": "k"},
        most_classes=most_classes,
        source=source,
    )


def trace(
    name: str,
    arithmetic: str,
    needs: tuple[str, ...],
    parameters: Mapping[str, Parameter],
    source: str,
    traces: str = IN_PASSING,
) -> DetectorDescriptor:
    """Return a detector on the traces of a single run."""
    return DetectorDescriptor(
        name=name,
        plan="single",
        arithmetic=f"noisebench.science.{arithmetic}",
        needs=needs,
        parameters=parameters,
        traces=traces,
        source=source,
    )


def two_networks(name: str, judge: str, needs: tuple[str, ...], source: str) -> DetectorDescriptor:
    """Return a detector on two networks that train each other, on the plan of its name."""
    return DetectorDescriptor(
        name=name,
        plan=name,
        implementation=f"noisebench.detectors.two_networks:{judge}",
        parameters=PLANS[name].parameters,
        needs=needs,
        source=source,
    )
