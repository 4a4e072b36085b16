"""The catalogue's detectors that need probabilities alone, on probabilities that noisebench did not train."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from noisebench.catalogue.component import Component
from noisebench.catalogue.detectors import DETECTORS
from noisebench.catalogue.parameters import FROM_RECIPE
from noisebench.detectors.judgement import Judgement
from noisebench.science.evidence import Evidence

ALIASES: Mapping[str, str] = {
    "low-self-confidence": "self-confidence",
    "low-normalized-margin": "normalized-margin",
}
"""What cleanlab calls two of the detectors."""


def detectors() -> dict[str, Component]:
    """Return the detectors by name, with the defaults of their parameters; confident learning by each rule.

    They read out-of-fold probabilities and nothing else, and their flags need no share.
    """
    components: dict[str, Component] = {}
    for name, descriptor in DETECTORS.items():
        usual = {key: each.default for key, each in descriptor.parameters.items()}
        chosen = {key: value for key, value in usual.items() if value is not FROM_RECIPE}
        if descriptor.needs == ("probabilities",) and chosen.get("flag") != "share":
            components[name] = Component.of(name, **chosen)  # type: ignore[arg-type]
    for rule in ("class", "noise-rate"):
        components[f"prune-by-{rule}"] = Component.of("confident-learning", prune=rule)
    return components


def judge(detector: Component, labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> Judgement:
    """Judge given labels [N] by probabilities [N, K], checked as `data.given_probabilities` does."""
    evidence = Evidence.of(
        {
            "labels": labels,
            "classes": np.array(probabilities.shape[1]),
            "predicted": probabilities.argmax(axis=1),
            "test_accuracies": np.zeros(0),
            "probabilities": probabilities,
        }
    )
    judgement: Judgement = DETECTORS[detector.name].load()(evidence, detector)
    return judgement
