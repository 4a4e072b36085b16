"""Corruption: labels of a data set replaced by wrong ones."""

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import DataError, InputError


def uniform(
    labels: NDArray[np.int64], classes: int, rate: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """New labels [N]: each flips with probability `rate` in [0, 1) to any other class, all equally likely."""
    _check_labels(labels, classes)
    _check_rate(rate)
    flips = rng.random(len(labels)) < rate
    return np.where(flips, _other_class(labels, classes, rng), labels)


def uniform_exact(
    labels: NDArray[np.int64], classes: int, rate: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """New labels [N]: exactly round(rate * N) of them, drawn without replacement, flip as in `uniform`."""
    _check_labels(labels, classes)
    _check_rate(rate)
    chosen = rng.permutation(len(labels))[: round(rate * len(labels))]
    noisy = labels.copy()
    noisy[chosen] = _other_class(labels, classes, rng)[chosen]
    return noisy


def asymmetric(
    labels: NDArray[np.int64], matrix: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """New labels [N]: class i becomes j with probability matrix[i, j]; matrix [K, K], rows sum to 1."""
    _check_matrix(matrix)
    _check_labels(labels, len(matrix))
    cumulative = np.cumsum(matrix, axis=1)
    # Without this a row that sums to 1 - 1e-16 could yield class K.
    cumulative /= cumulative[:, -1:]
    draws = rng.random(len(labels))
    noisy = labels.copy()
    for given in np.unique(labels):
        members = labels == given
        noisy[members] = np.searchsorted(cumulative[given], draws[members], side="right")
    return noisy


def confusion_matrix(confusions: Mapping[int, int], classes: int, rate: float) -> NDArray[np.float64]:
    """The transition matrix [K, K]: classes of `confusions` become the mapped one with probability `rate`."""
    _check_rate(rate)
    highest = max(*confusions, *confusions.values())
    if highest >= classes:
        raise InputError(f"corruption: the standard map has class {highest}, the data {classes} classes")
    matrix = np.eye(classes)
    for source, target in confusions.items():
        matrix[source, source] = 1 - rate
        matrix[source, target] = rate
    return matrix


def transition_counts(clean: NDArray[np.int64], noisy: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """How many samples [K, K] of class i are labelled j."""
    _check_labels(clean, classes)
    _check_labels(noisy, classes)
    if clean.shape != noisy.shape:
        raise InputError(f"corruption: {len(clean)} clean labels but {len(noisy)} noisy ones")
    return np.bincount(clean * classes + noisy, minlength=classes**2).reshape(classes, classes)


def transition_matrix(
    clean: NDArray[np.int64], noisy: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Realised shares [K, K] of class i that are labelled j; the row of an absent class is NaN."""
    counts = transition_counts(clean, noisy, classes)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.full((classes, classes), np.nan)
    np.divide(counts, totals, out=shares, where=totals > 0)
    return shares


def noise_hash(labels: NDArray[np.int64]) -> str:
    """16 hex digits that are equal for equal label vectors (sha256 of their little-endian int64 bytes)."""
    return hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest()[:16]


def _other_class(labels: NDArray[np.int64], classes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """For every label [N] one of the K-1 others, all equally likely."""
    return (labels + rng.integers(1, classes, size=len(labels))) % classes


def _check_labels(labels: NDArray[np.int64], classes: int) -> None:
    if classes < 2:
        raise InputError(f"corruption: {classes} classes; labels can only be wrong with at least 2")
    if labels.ndim != 1 or labels.dtype != np.int64:
        raise InputError(f"corruption: labels must be int64 [N], not {labels.dtype} {list(labels.shape)}")
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise DataError(
            f"corruption: labels run from {labels.min()} to {labels.max()}; "
            f"with {classes} classes they must lie in 0 to {classes - 1}"
        )


def _check_rate(rate: float) -> None:
    if not 0 <= rate < 1:
        raise InputError(f"corruption: rate {rate} is outside [0, 1)")


def _check_matrix(matrix: NDArray[np.float64]) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"corruption: the transition matrix must be [K, K], not {list(matrix.shape)}")
    bad = ~((matrix >= 0).all(axis=1) & np.isclose(matrix.sum(axis=1), 1, rtol=0, atol=1e-6))
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"corruption: row {row} of the transition matrix is {matrix[row].tolist()}; "
            "it must hold probabilities that sum to 1"
        )
