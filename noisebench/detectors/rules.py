"""Detectors that are one function of arrays, with a flag rule."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from noisebench.catalogue.component import Component
from noisebench.catalogue.descriptor import load
from noisebench.catalogue.detectors import descriptor_of
from noisebench.detectors.judgement import Judgement
from noisebench.errors import InputError
from noisebench.science import flag_rules, label_posterior, rankings
from noisebench.science.detection import Detection
from noisebench.science.evidence import Evidence
from noisebench.sweep import reference


def judge(evidence: Evidence, detector: Component) -> Judgement:
    """Call the detector's arithmetic, then apply the flag rule that the parameter `flag` names.

    The arithmetic returns a `Detection`, whose flags are the native rule, or the suspicion [N] alone. Of the
    labels, the number of classes, the arrays that the detector needs and its parameters, it gets those that
    its signature names.
    """
    arithmetic = _arithmetic(detector)
    wanted = inspect.signature(arithmetic).parameters
    given = arguments(evidence, detector)
    returned = arithmetic(**{name: value for name, value in given.items() if name in wanted})
    if reference.is_reference(detector.name):
        _check(returned, detector, len(evidence.labels))
    rule = detector.get("flag", "native")
    if rule == "native":
        return Judgement(returned)
    suspicion = (
        returned.suspicion if isinstance(returned, Detection) else np.asarray(returned, dtype=np.float64)
    )
    flagged = _flagged(rule, suspicion, evidence, detector)
    return Judgement(Detection(flagged, suspicion), knows_rate=flag_rules.KNOWS_RATE[rule])


def arguments(evidence: Evidence, detector: Component) -> dict[str, Any]:
    """Return what a detector may read, by bare name; arrays have the size that its parameters ask for."""
    given: dict[str, Any] = detector.without()
    given |= {"labels": evidence.labels, "classes": evidence.classes}
    for name, size in descriptor_of(detector).needs_of(detector).items():
        given[name.rpartition(".")[2]] = evidence.sized(name, size)
    return given


def _arithmetic(detector: Component) -> Callable[..., Any]:
    if reference.is_reference(detector.name):
        return reference.load(detector.name, detector["source"])
    return load(descriptor_of(detector).arithmetic)


def _check(returned: Any, detector: Component, samples: int) -> None:
    """Raise InputError unless a user's function has returned what its flag rule needs."""
    if not isinstance(returned, Detection) and detector["flag"] == "native":
        raise InputError(f"detector {detector.name}: flag: native needs a function that returns a Detection")
    arrays = (returned.suspicion, returned.flagged) if isinstance(returned, Detection) else (returned,)
    for array in arrays:
        if np.shape(array) != (samples,):
            raise InputError(
                f"detector {detector.name} returned shape {list(np.shape(array))} for {samples} samples; it "
                f"must return one suspicion a sample, [{samples}]"
            )


def _flagged(
    rule: str, suspicion: npt.NDArray[np.float64], evidence: Evidence, detector: Component
) -> npt.NDArray[np.bool_]:
    if rule == "share":
        return flag_rules.share(suspicion, detector["share"])
    if rule == "mixture":
        return flag_rules.mixture(suspicion)
    assert evidence.probabilities is not None
    if rule == "posterior":
        probability = label_posterior.wrong_label(evidence.labels, evidence.probabilities)
        return probability >= label_posterior.LEAST
    assert rule == "estimated", rule
    return flag_rules.top(suspicion, rankings.estimated_errors(evidence.labels, evidence.probabilities))
