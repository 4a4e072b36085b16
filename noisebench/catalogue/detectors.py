"""The detectors that a sweep can name.

A detector is a plan, which says what is trained, and an implementation `(evidence, detector) -> Judgement`, a
pure function of the evidence that the training leaves. Most are one function of arrays, their `arithmetic`,
which returns the suspicion or flags too, and a flag rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from noisebench.catalogue.component import Component
from noisebench.catalogue.descriptor import Descriptor, by_name
from noisebench.catalogue.parameters import Parameter, choice, integer, number
from noisebench.catalogue.plans import PLANS, Plan

IN_PASSING, AFTER_EPOCH = "in-passing", "after-epoch"
TRACES = ("losses", "margins", "predicted", "squared_errors", "squared_norms")


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


_PAPERS_TRACES = {"traces": choice(IN_PASSING, IN_PASSING, AFTER_EPOCH, implied=True)}
_FOLDS = PLANS["folds"].parameters


def _flags(default: str, *others: str) -> dict[str, Parameter]:
    """Return the parameters of a flag rule: its name, and the share that the rule `share` flags."""
    return {"flag": choice(default, default, *others), "share": _SHARE}


_SHARE = number(None, 0, 1, open_low=True, open_high=True, optional=True)


def _ranking(name: str, function: str, source: str) -> DetectorDescriptor:
    """Return a detector that ranks by out-of-fold probabilities."""
    return DetectorDescriptor(
        name=name,
        plan="folds",
        arithmetic=f"noisebench.science.rankings:{function}",
        parameters={**_FOLDS, **_flags("estimated", "share", "mixture")},
        needs=("probabilities",),
        source=source,
    )


def _dropout(name: str, function: str) -> DetectorDescriptor:
    """Return a detector of UQ-LED: confident learning on passes with dropout."""
    return DetectorDescriptor(
        name=name,
        plan="folds",
        arithmetic=f"noisebench.science.dropout_passes:{function}",
        parameters={**_FOLDS, "passes": integer(5, 2)},
        needs=("passes",),
        sizes={"passes": "passes"},
        source="Jakubik et al. 2025, UQ-LED",
    )


def _neighbours(
    name: str, function: str, source: str, own: Mapping[str, Parameter] | None = None
) -> DetectorDescriptor:
    """Return a detector that compares the label with those of the nearest samples, out of fold."""
    return DetectorDescriptor(
        name=name,
        plan="folds",
        arithmetic=f"noisebench.science.neighbours:{function}",
        parameters={**_FOLDS, "k": integer(10, 2), **(own or {})},
        needs=("neighbour_labels", "neighbour_distances"),
        sizes={"neighbour_labels": "k", "neighbour_distances": "k"},
        source=source,
    )


def _trace(
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


DEFAULT = "confident-learning"
_RIGHT = ("predicted", "losses")
_DATA_MAPS = "Swayamdipta et al. 2020, data maps"

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
        parameters=_PAPERS_TRACES,
        needs=("losses",),
        source="Yue & Jha 2024, with `traces: after-epoch`",
    ),
    DetectorDescriptor(
        name="small-loss",
        plan="single",
        implementation="noisebench.detectors.single_run:judge_by_small_loss",
        parameters={"share": _SHARE, **_PAPERS_TRACES},
        needs=("losses",),
        source="Han et al. 2018; without `share` Li et al. 2020, with `traces: after-epoch`",
    ),
    DetectorDescriptor(
        name="none",
        plan="single",
        implementation="noisebench.detectors.single_run:judge_nothing",
    ),
    _ranking("self-confidence", "self_confidence", "Northcutt et al. 2021; cleanlab"),
    _ranking("normalized-margin", "normalized_margin", "Northcutt et al. 2021; cleanlab"),
    _ranking("confidence-weighted-entropy", "confidence_weighted_entropy", "Kuan & Mueller 2022; cleanlab"),
    DetectorDescriptor(
        name="predicted-not-given",
        plan="folds",
        arithmetic="noisebench.science.rankings:find_predicted_not_given",
        parameters=_FOLDS,
        needs=("probabilities",),
        source="cleanlab, `predicted_neq_given`",
    ),
    _dropout("cl-mcd", "find_mean"),
    _dropout("cl-mcd-e", "find_mean_entropy"),
    _dropout("cl-mcd-ensemble", "find_ensemble"),
    _dropout("algorithm-ensemble", "find_algorithms"),
    _neighbours("simifeat-votes", "find_simifeat_votes", "Zhu et al. 2022, SimiFeat-V, one round"),
    _neighbours("simifeat-ranks", "find_simifeat_ranks", "Zhu et al. 2022, SimiFeat-R, one round"),
    _neighbours(
        "similarity",
        "similarity",
        "after arXiv 2509.23964",
        {"weights": choice("none", "none", "cosine"), **_flags("mixture", "share")},
    ),
    _trace(
        "mean-loss",
        "traces:mean_loss",
        ("losses",),
        {
            "traces": choice(AFTER_EPOCH, IN_PASSING, AFTER_EPOCH),
            "skip_epochs": integer(0, 0),
            **_flags("mixture", "share"),
        },
        "arXiv 2602.15154 (CSL); with `share` and traces in passing Huang et al. 2019 (O2U-Net)",
    ),
    _trace(
        "robust-loss-mean",
        "traces:robust_loss_mean",
        ("losses",),
        _flags("share", "mixture"),
        "Xia et al. 2022, CNLCU-S without its bonus",
    ),
    _trace(
        "last-loss",
        "traces:last_loss",
        ("losses",),
        {"epochs": integer(1, 1), **_flags("mixture", "share")},
        "the loss of the last epochs, which fails once wrong labels are memorised",
        AFTER_EPOCH,
    ),
    _trace(
        "dividemix",
        "trace_rules:find_dividemix",
        ("losses",),
        {"warm_up": integer(10, 1), "epochs": integer(1, 1)},
        "Li et al. 2020, DivideMix: the mixture of one epoch",
        AFTER_EPOCH,
    ),
    _trace(
        "ctrl-grid",
        "ctrl:search",
        ("losses", "predicted"),
        {"alpha": number(1, 0, open_low=True)},
        "Yue & Jha 2024, all 18 masks; the mask is chosen without the clean test set",
        AFTER_EPOCH,
    ),
    _trace(
        "mean-margin",
        "traces:mean_margin",
        ("margins",),
        _flags("mixture", "share"),
        "Pleiss et al. 2020, the ranking without threshold samples",
    ),
    _trace("confidence", "traces:confidence", ("losses",), _flags("mixture", "share"), _DATA_MAPS),
    _trace("variability", "traces:variability", ("losses",), _flags("mixture", "share"), _DATA_MAPS),
    _trace("correctness", "traces:correctness", _RIGHT, _flags("mixture", "share"), _DATA_MAPS),
    _trace(
        "hard-to-learn",
        "trace_rules:find_hard_to_learn",
        ("losses",),
        {"confidence": number(0.2, 0, 1), "variability": number(0.15, 0)},
        "Swayamdipta et al. 2020; bounds of Seedat et al. 2024",
    ),
    _trace("forgetting", "traces:forgetting", _RIGHT, _flags("mixture", "share"), "Toneva et al. 2019"),
    _trace(
        "first-learned",
        "traces:first_learned",
        _RIGHT,
        {"k": integer(1, 1), **_flags("share", "mixture")},
        "Yuan et al. 2023, FkL of Late Stopping",
        AFTER_EPOCH,
    ),
    _trace(
        "el2n",
        "traces:el2n",
        ("squared_errors",),
        {"epoch": integer(10, 1), **_flags("mixture", "share")},
        "Paul et al. 2021, one run",
        AFTER_EPOCH,
    ),
    _trace(
        "grand",
        "traces:grand",
        ("squared_errors", "squared_norms"),
        {"epoch": integer(10, 1), **_flags("mixture", "share")},
        "Paul et al. 2021, the last layer",
        AFTER_EPOCH,
    ),
    _trace(
        "tracin",
        "traces:tracin",
        ("squared_errors", "squared_norms"),
        _flags("mixture", "share"),
        "Pruthi et al. 2020, TracIn-CP of the last layer, equal rates",
        AFTER_EPOCH,
    ),
    _trace(
        "selnlpl",
        "trace_rules:find_selnlpl",
        ("losses",),
        {"epochs": integer(10, 1), "gamma": number(0.5, 0, 1)},
        "Kim et al. 2019, the rule of SelNLPL",
    ),
    _trace(
        "selfie",
        "trace_rules:find_selfie",
        _RIGHT,
        {"history": integer(15, 1), "epsilon": number(0.05, 0, 1)},
        "Song et al. 2019, the rule of SELFIE",
    ),
    _trace(
        "crssc",
        "trace_rules:find_crssc",
        (*_RIGHT, "squared_errors"),
        {"epochs": integer(5, 1)},
        "Sun et al. 2020, the rule of CRSSC",
    ),
)

# Of a user's function: the arrays that it may have as arguments, the parameters that it has beside its own.
OWN_READS = ("probabilities", *TRACES)
OWN_PARAMETERS: Mapping[str, Parameter] = {
    **_FOLDS,
    "traces": choice(IN_PASSING, IN_PASSING, AFTER_EPOCH),
    **_flags("mixture", "share", "native"),
}


def descriptor_of(detector: Component) -> DetectorDescriptor:
    """Return the descriptor of a detector of the catalogue, or of a user's function.

    A user's function is on the plan whose arrays it reads.
    """
    if detector.name in DETECTORS:
        return DETECTORS[detector.name]
    reads: tuple[str, ...] = detector["reads"]
    plan = "folds" if "probabilities" in reads else "single"
    return DetectorDescriptor(name=detector.name, plan=plan, needs=reads, parameters=OWN_PARAMETERS)
