"""The detectors that a sweep can name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from noisebench.catalogue.component import Component
from noisebench.catalogue.descriptor import by_name
from noisebench.catalogue.detector import (
    AFTER_EPOCH,
    AUTHORS_TRACES,
    FOLDS,
    IN_PASSING,
    SHARE,
    TRACES,
    DetectorDescriptor,
    dropout,
    flags,
    neighbours,
    ranking,
    trace,
    two_networks,
)
from noisebench.catalogue.parameters import Parameter, choice, integer, number
from noisebench.catalogue.plans import PLANS

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
        parameters=AUTHORS_TRACES,
        needs=("losses",),
        source="Yue & Jha 2024",
    ),
    DetectorDescriptor(
        name="small-loss",
        plan="single",
        implementation="noisebench.detectors.single_run:judge_by_small_loss",
        parameters={"share": SHARE, **AUTHORS_TRACES},
        needs=("losses",),
        source="Han et al. 2018, in passing; without `share` Li et al. 2020, after the epoch",
    ),
    DetectorDescriptor(
        name="none",
        plan="single",
        implementation="noisebench.detectors.single_run:judge_nothing",
    ),
    ranking("self-confidence", "self_confidence", "Northcutt et al. 2021; cleanlab"),
    ranking("normalized-margin", "normalized_margin", "Northcutt et al. 2021; cleanlab"),
    ranking("confidence-weighted-entropy", "confidence_weighted_entropy", "Kuan & Mueller 2022; cleanlab"),
    DetectorDescriptor(
        name="predicted-not-given",
        plan="folds",
        arithmetic="noisebench.science.rankings:find_predicted_not_given",
        parameters=FOLDS,
        needs=("probabilities",),
        source="cleanlab, `predicted_neq_given`",
    ),
    dropout("cl-mcd", "find_mean"),
    dropout("cl-mcd-e", "find_mean_entropy"),
    dropout("cl-mcd-ensemble", "find_ensemble"),
    dropout("algorithm-ensemble", "find_algorithms"),
    neighbours("simifeat-votes", "find_simifeat_votes", "Zhu et al. 2022, SimiFeat-V, one round"),
    neighbours(
        "simifeat-ranks",
        "find_simifeat_ranks",
        "Zhu et al. 2022, SimiFeat-R, one round",
        # HOC fits the counts of triples of labels [K, K, K]: 0.5 GB and minutes at 200 classes.
        most_classes=200,
    ),
    neighbours(
        "similarity",
        "similarity",
        "after arXiv 2509.23964",
        {"weights": choice("none", "none", "cosine"), **flags("mixture", "share")},
    ),
    trace(
        "mean-loss",
        "traces:mean_loss",
        ("losses",),
        {
            "traces": choice(AFTER_EPOCH, IN_PASSING, AFTER_EPOCH),
            "skip_epochs": integer(0, 0),
            **flags("mixture", "share"),
        },
        "arXiv 2602.15154 (CSL); with `share` and traces in passing Huang et al. 2019 (O2U-Net)",
    ),
    trace(
        "robust-loss-mean",
        "traces:robust_loss_mean",
        ("losses",),
        flags("share", "mixture"),
        "Xia et al. 2022, CNLCU-S without its bonus",
    ),
    trace(
        "last-loss",
        "traces:last_loss",
        ("losses",),
        {"epochs": integer(1, 1), **flags("mixture", "share")},
        "the loss of the last epochs, which fails once wrong labels are memorised",
        AFTER_EPOCH,
    ),
    trace(
        "dividemix",
        "trace_rules:find_dividemix",
        ("losses",),
        {"warm_up": integer(10, 1), "epochs": integer(1, 1)},
        "Li et al. 2020, DivideMix: the mixture of one epoch",
        AFTER_EPOCH,
    ),
    trace(
        "ctrl-grid",
        "ctrl:search",
        ("losses", "predicted"),
        {"alpha": number(1, 0, open_low=True)},
        "Yue & Jha 2024, all 18 masks; the mask is chosen without the clean test set",
        AFTER_EPOCH,
    ),
    trace(
        "mean-margin",
        "traces:mean_margin",
        ("margins",),
        flags("mixture", "share"),
        "Pleiss et al. 2020, the ranking without threshold samples",
    ),
    trace("confidence", "traces:confidence", ("losses",), flags("mixture", "share"), _DATA_MAPS),
    trace("variability", "traces:variability", ("losses",), flags("mixture", "share"), _DATA_MAPS),
    trace("correctness", "traces:correctness", _RIGHT, flags("mixture", "share"), _DATA_MAPS),
    trace(
        "hard-to-learn",
        "trace_rules:find_hard_to_learn",
        ("losses",),
        {"confidence": number(0.2, 0, 1), "variability": number(0.15, 0)},
        "Swayamdipta et al. 2020; bounds of Seedat et al. 2024",
    ),
    trace("forgetting", "traces:forgetting", _RIGHT, flags("mixture", "share"), "Toneva et al. 2019"),
    trace(
        "first-learned",
        "traces:first_learned",
        _RIGHT,
        {"k": integer(1, 1), **flags("share", "mixture")},
        "Yuan et al. 2023, FkL of Late Stopping",
        AFTER_EPOCH,
    ),
    trace(
        "el2n",
        "traces:el2n",
        ("squared_errors",),
        {"epoch": integer(10, 1), **flags("mixture", "share")},
        "Paul et al. 2021, one run",
        AFTER_EPOCH,
    ),
    trace(
        "grand",
        "traces:grand",
        ("squared_errors", "squared_norms"),
        {"epoch": integer(10, 1), **flags("mixture", "share")},
        "Paul et al. 2021, the last layer",
        AFTER_EPOCH,
    ),
    trace(
        "tracin",
        "traces:tracin",
        ("squared_errors", "squared_norms"),
        flags("mixture", "share"),
        "Pruthi et al. 2020, TracIn-CP of the last layer, equal rates",
        AFTER_EPOCH,
    ),
    trace(
        "selnlpl",
        "trace_rules:find_selnlpl",
        ("losses",),
        {"epochs": integer(10, 1), "gamma": number(0.5, 0, 1)},
        "Kim et al. 2019, the rule of SelNLPL",
    ),
    trace(
        "selfie",
        "trace_rules:find_selfie",
        _RIGHT,
        {"history": integer(15, 1), "epsilon": number(0.05, 0, 1)},
        "Song et al. 2019, the rule of SELFIE",
    ),
    trace(
        "crssc",
        "trace_rules:find_crssc",
        (*_RIGHT, "squared_errors"),
        {"epochs": integer(5, 1)},
        "Sun et al. 2020, the rule of CRSSC",
    ),
    two_networks("co-teaching", "judge_by_loss", ("losses", "forget_rate"), "Han et al. 2018"),
    two_networks("cnlcu-s", "judge_by_bound", ("bounds", "forget_rate"), "Xia et al. 2022, Theorem 1"),
    two_networks("cnlcu-h", "judge_by_bound", ("bounds", "forget_rate"), "Xia et al. 2022, Theorem 2"),
    DetectorDescriptor(
        name="late-stopping",
        plan="late-stopping",
        implementation="noisebench.detectors.late_stopping:judge",
        parameters=PLANS["late-stopping"].parameters,
        needs=("kept_rounds", "round_losses"),
        source="Yuan et al. 2023, the rounds of Late Stopping",
    ),
    DetectorDescriptor(
        name="selnlpl-schedule",
        plan="selnlpl-schedule",
        arithmetic="noisebench.science.trace_rules:find_selnlpl",
        parameters=PLANS["selnlpl-schedule"].parameters,
        needs=("losses",),
        source="Kim et al. 2019, SelNLPL with its schedule",
    ),
)

# Of a user's function: what it may have as arguments, the parameters that it has beside its own.
OWN_ALWAYS = ("labels", "classes")
OWN_READS = ("probabilities", *TRACES)
OWN_PARAMETERS: Mapping[str, Parameter] = {
    **FOLDS,
    "traces": choice(IN_PASSING, IN_PASSING, AFTER_EPOCH),
    **flags("mixture", "share", "native"),
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


def written_out(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a detector's fields with the parameters that its component leaves out (`Parameter.implied`)."""
    parameters = DETECTORS[fields["name"]].parameters if fields["name"] in DETECTORS else {}
    implied = {name: one.implied for name, one in parameters.items() if one.implied is not None}
    return {**implied, **fields}


def with_former_default(detector: Component) -> Component:
    """Return what the text that names `detector` meant before the default of a parameter changed."""
    parameters = DETECTORS[detector.name].parameters if detector.name in DETECTORS else {}
    changed = [name for name, one in parameters.items() if one.implied is not None]
    return Component.of(
        detector.name,
        **detector.without(*(name for name in changed if detector.get(name) == parameters[name].default)),
    )
