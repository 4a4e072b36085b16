"""Detectors that need probabilities alone, on probabilities that noisebench did not train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from noisebench.science import confident_learning, flag_rules, rankings
from noisebench.science.detection import Detection

Find = Callable[[NDArray[np.int64], NDArray[np.float64]], Detection]


def _find_by_entropy(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> Detection:
    """Flag as many as confident learning estimates, by confidence-weighted entropy."""
    suspicion = rankings.confidence_weighted_entropy(labels, probabilities)
    count = rankings.estimated_errors(labels, probabilities)
    return Detection(flag_rules.top(suspicion, count), suspicion)


DETECTORS: Mapping[str, Find] = {
    "prune-by-class": partial(confident_learning.find, prune="class"),
    "prune-by-noise-rate": partial(confident_learning.find, prune="noise-rate"),
    "confident-learning": partial(confident_learning.find, prune="both"),
    "low-self-confidence": rankings.find_low_self_confidence,
    "low-normalized-margin": rankings.find_low_normalized_margin,
    "confidence-weighted-entropy": _find_by_entropy,
    "predicted-not-given": rankings.find_predicted_not_given,
}
"""By name: (labels [N], probabilities [N, K]) to a detection. None of them knows the noise rate."""
