"""Confident learning (Northcutt et al., JAIR 2021) through cleanlab."""

import warnings

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import DataError, InputError
from noisebench.science.detection import Detection

_FILTERS = {"class": "prune_by_class", "noise-rate": "prune_by_noise_rate", "both": "both"}


def find(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.floating],
    prune: str = "both",
    joint: NDArray[np.int64] | None = None,
) -> Detection:
    """Flags label errors from given labels [N] and out-of-sample probabilities [N, K] (rows sum to 1).

    `prune`: "class", "noise-rate" or "both" (their intersection). `joint` [K, K]: counts of (given, true)
    labels; None: cleanlab's confident joint. Suspicion is 1 - p of the given label.
    Raises DataError for a class that no label names and for probabilities that are not finite.
    """
    if prune not in _FILTERS:
        raise InputError(f"confident learning: prune {prune!r} is unknown; known: {', '.join(_FILTERS)}")
    check(labels, probabilities)
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flagged = find_label_issues(
            labels,
            probabilities,
            filter_by=_FILTERS[prune],
            confident_joint=joint,
            frac_noise=1.0,
            min_examples_per_class=1,
            n_jobs=1,
        )
    self_confidence = np.take_along_axis(probabilities, labels[:, np.newaxis], axis=1)[:, 0]
    return Detection(np.asarray(flagged, dtype=np.bool_), 1 - self_confidence.astype(np.float64))


def check_shapes(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> None:
    """Raise InputError unless labels are [N] and probabilities [N, K], DataError for labels above K - 1."""
    if labels.ndim != 1 or probabilities.ndim != 2 or len(labels) != len(probabilities):
        raise InputError(
            f"confident learning: labels {list(labels.shape)} and probabilities {list(probabilities.shape)} "
            "must be [N] and [N, K]"
        )
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= probabilities.shape[1]:
        raise DataError(f"confident learning: a label is outside 0 to {probabilities.shape[1] - 1}")


def check(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> None:
    """Raise as `check_shapes`, and DataError for values that are not finite or a class without a label."""
    check_shapes(labels, probabilities)
    if not np.isfinite(probabilities).all():
        rows = int((~np.isfinite(probabilities)).any(axis=1).sum())
        raise DataError(f"confident learning: the probabilities of {rows} samples are not finite")
    classes = probabilities.shape[1]
    absent = np.flatnonzero(np.bincount(labels, minlength=classes) == 0)
    if absent.size:
        raise DataError(
            f"confident learning: no label names class {', '.join(map(str, absent))} of 0 to {classes - 1}; "
            "every class needs at least one sample: take more samples, or leave the class out"
        )
