"""Rankings of given labels by out-of-fold probabilities (Northcutt et al., JAIR 2021; Kuan & Mueller, ICML
workshop on distribution shift 2022), most of them through cleanlab.

`labels` int64 [N] in 0 to K - 1; `probabilities` [N, K], each row from a model that was not trained on its
sample, K >= 2. cleanlab's scores are low for suspect labels: here 1 - score is the suspicion [N], in [0, 1].
Every function renormalises the rows first, as those of float16 miss 1 by up to a thousandth.
"""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import DataError
from noisebench.science import confident_learning
from noisebench.science.detection import Detection

Labels = NDArray[np.int64]
Probabilities = NDArray[np.floating]

_LARGEST_ROW_ERROR = 0.01


def renormalised(probabilities: Probabilities) -> NDArray[np.float64]:
    """Return the rows [N, K] in float64, divided by their sums.

    Raises DataError for values that are negative or not finite, and for sums outside [0.99, 1.01].
    """
    rows = probabilities.astype(np.float64)
    bad = ~np.isfinite(rows).all(axis=1) | (rows < 0).any(axis=1)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"probabilities: {int(bad.sum())} rows have values that are negative or not finite, "
            f"the first is row {first}; each value must lie in [0, 1]"
        )
    totals = rows.sum(axis=1, keepdims=True)
    off = np.flatnonzero(np.abs(totals[:, 0] - 1) > _LARGEST_ROW_ERROR)
    if off.size:
        raise DataError(
            f"probabilities: {off.size} rows do not sum to 1, the first is row {off[0]} with "
            f"{totals[off[0], 0]:.4g}; give softmax probabilities, not logits or scores"
        )
    return np.asarray(rows / totals)


def self_confidence(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """1 - p of the given label."""
    return _suspicion(labels, probabilities, "self_confidence")


def normalized_margin(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """1 - (p of the given label - largest other p + 1) / 2."""
    return _suspicion(labels, probabilities, "normalized_margin")


def confidence_weighted_entropy(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """1 - ln(1 + c) / c with c = H(p) / (ln K times p of the given label).

    The limits hold: 0 where p of the given label is 1, 1 where it is 0. cleanlab divides by max(c, 1e-6)
    instead of c, and so ranks labels that are predicted with p > 1 - 1e-7 or so as the most suspect of all;
    elsewhere the two agree.
    """
    p = _checked(labels, probabilities)
    from scipy.special import entr

    of_label = np.take_along_axis(p, labels[:, np.newaxis], axis=1)[:, 0]
    entropy = entr(p).sum(axis=1) / np.log(p.shape[1])
    c = np.divide(entropy, of_label, out=np.full(len(p), np.inf), where=of_label > 0)
    usable = (c > 0) & np.isfinite(c)
    quality = np.where(c == 0, 1.0, 0.0)
    np.divide(np.log1p(c), c, out=quality, where=usable)
    return np.asarray(1 - quality)


def predicted_not_given(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """1 where the most probable class (of equal ones the first) is not the given label, else 0."""
    p = _checked(labels, probabilities)
    return np.asarray(p.argmax(axis=1) != labels, dtype=np.float64)


RANKINGS: dict[str, Callable[[Labels, Probabilities], NDArray[np.float64]]] = {
    "self-confidence": self_confidence,
    "normalized-margin": normalized_margin,
    "confidence-weighted-entropy": confidence_weighted_entropy,
    "predicted-not-given": predicted_not_given,
}


def estimated_errors(labels: Labels, probabilities: Probabilities) -> int:
    """Return how many labels confident learning holds to be wrong.

    The off-diagonal count of the confident joint, cleanlab's `num_label_issues`: samples that are confidently
    of another class, without those predicted as labelled. The noise rate is not needed. Raises DataError if
    all labels are equal.
    """
    p = _checked(labels, probabilities)
    if len(np.unique(labels)) < 2:
        raise DataError("confident learning: all labels are equal; a confident joint needs two classes")
    from cleanlab.count import num_label_issues

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return int(num_label_issues(labels, p))


def find_predicted_not_given(labels: Labels, probabilities: Probabilities) -> Detection:
    """Flag samples that are predicted as another class; suspicion is that of the normalised margin."""
    differs = predicted_not_given(labels, probabilities)
    return Detection(differs > 0, normalized_margin(labels, probabilities))


def _suspicion(labels: Labels, probabilities: Probabilities, method: str) -> NDArray[np.float64]:
    p = _checked(labels, probabilities)
    from cleanlab.rank import get_label_quality_scores

    return 1 - np.asarray(get_label_quality_scores(labels, p, method=method), dtype=np.float64)


def _checked(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    confident_learning.check_shapes(labels, probabilities)
    return renormalised(probabilities)
