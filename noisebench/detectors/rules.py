"""Detectors that are one function of arrays, with a flag rule."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt

from noisebench.catalogue.component import Component
from noisebench.catalogue.descriptor import load
from noisebench.catalogue.detectors import DETECTORS
from noisebench.detectors.judgement import Judgement
from noisebench.science import flag_rules, rankings
from noisebench.science.detection import Detection
from noisebench.science.evidence import Evidence


def judge(evidence: Evidence, detector: Component) -> Judgement:
    """Call the detector's arithmetic, then apply the flag rule that the parameter `flag` names.

    The arithmetic returns a `Detection`, whose flags are the native rule, or the suspicion [N] alone. Of the
    labels, the number of classes, the arrays that the detector needs and its parameters, it gets those that
    its signature names.
    """
    arithmetic = load(DETECTORS[detector.name].arithmetic)
    wanted = inspect.signature(arithmetic).parameters
    given = arguments(evidence, detector)
    found = arithmetic(**{name: value for name, value in given.items() if name in wanted})
    rule = detector.get("flag", "native")
    if rule == "native":
        return Judgement(found)
    suspicion = found.suspicion if isinstance(found, Detection) else found
    flagged = _flagged(rule, suspicion, evidence, detector)
    return Judgement(Detection(flagged, suspicion), knows_rate=flag_rules.KNOWS_RATE[rule])


def arguments(evidence: Evidence, detector: Component) -> dict[str, Any]:
    """Return what a detector may read, by bare name; arrays have the size that its parameters ask for."""
    given: dict[str, Any] = detector.without()
    given |= {"labels": evidence.labels, "classes": evidence.classes}
    for name, size in DETECTORS[detector.name].needs_of(detector).items():
        given[name.rpartition(".")[2]] = evidence.sized(name, size)
    return given


def _flagged(
    rule: str, suspicion: npt.NDArray[np.float64], evidence: Evidence, detector: Component
) -> npt.NDArray[np.bool_]:
    if rule == "share":
        return flag_rules.share(suspicion, detector["share"])
    if rule == "mixture":
        return flag_rules.mixture(suspicion)
    assert rule == "estimated", rule
    assert evidence.probabilities is not None
    return flag_rules.top(suspicion, rankings.estimated_errors(evidence.labels, evidence.probabilities))
