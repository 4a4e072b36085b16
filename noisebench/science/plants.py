"""Planted wrong labels: known errors, to see what a detector would find, and to bracket how many there are.

Uniform plants are easier to find than the mistakes of people, likely plants harder (each label is drawn from
a model's probabilities of the sample's other classes), so estimates by the two kinds bracket the truth. Both
miss errors that all models share, such as a class that was misread throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NONE, UNIFORM, LIKELY = 0, 1, 2
# A smaller class would get too few plants to count, or too many wrong labels.
MIN_CLASS = 20
# The recall of fewer plants says nothing.
MIN_FOUND = 20


@dataclass(frozen=True)
class Planted:
    """Labels [N] with plants, and the kind int8 [N] of each: NONE, UNIFORM or LIKELY."""

    labels: NDArray[np.int64]
    kinds: NDArray[np.int8]


@dataclass(frozen=True)
class Plants:
    """What a detector makes of labels with plants: suspicion float64, flagged bool, kinds int8, each [N]."""

    suspicion: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    kinds: NDArray[np.int8]


def plant(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.floating],
    share: float,
    rng: np.random.Generator,
) -> Planted:
    """Give `share` (0..1) of each class of at least MIN_CLASS samples another label, half of each kind.

    `labels` int64 [N] in 0..K-1, `probabilities` [N, K]: out of fold. Uniform plants exchange their labels,
    so the sizes of classes stay. A likely plant gets a class with the probability that the model gives it.
    """
    planted, kinds = labels.copy(), np.zeros(len(labels), dtype=np.int8)
    for label in range(probabilities.shape[1]):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = round(share * len(members)) if len(members) >= MIN_CLASS else 0
        half = (count + label % 2) // 2
        kinds[members[:half]], kinds[members[half:count]] = UNIFORM, LIKELY
    uniform, likely = np.flatnonzero(kinds == UNIFORM), np.flatnonzero(kinds == LIKELY)
    planted[uniform] = _exchanged(labels[uniform])
    planted[likely] = _drawn(labels[likely], probabilities[likely], rng)
    # With a large class the exchange can return a sample's own label.
    kinds[planted == labels] = NONE
    return Planted(planted, kinds)


def _exchanged(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the labels in another order: each is replaced by one of another class where that is possible."""
    if not len(labels):
        return labels
    order = np.argsort(labels, kind="stable")
    exchanged = np.empty_like(labels)
    exchanged[order] = np.roll(labels[order], np.bincount(labels).max())
    return exchanged


def _drawn(
    labels: NDArray[np.int64], probabilities: NDArray[np.floating], rng: np.random.Generator
) -> NDArray[np.int64]:
    others = probabilities.astype(np.float64)
    others[np.arange(len(labels)), labels] = 0
    # Where a model is certain, all other classes are equally likely.
    others += 1e-12
    others[np.arange(len(labels)), labels] = 0
    cumulative = np.cumsum(others, axis=1)
    draws = rng.random(len(labels))[:, np.newaxis] * cumulative[:, -1:]
    return np.asarray((draws >= cumulative).sum(axis=1), dtype=np.int64)


def recall(kinds: NDArray[np.int8], flagged: NDArray[np.bool_], kind: int) -> float:
    """Return the share, 0..1, of the plants of a kind that are flagged; NaN without plants."""
    of_kind = kinds == kind
    return float(flagged[of_kind].mean()) if of_kind.any() else float("nan")


def mixture_bound(suspicion: NDArray[np.floating], kinds: NDArray[np.int8], kind: int) -> float:
    """Return the share of wrong labels, 0..1, if real errors were as suspicious as the plants of a kind.

    It is the least, over thresholds that at least half of the plants exceed, of the share of the other
    samples above it divided by the share of plants above it: right labels above a threshold only raise it. 1
    with fewer than MIN_FOUND plants.
    """
    of_kind, real = np.sort(suspicion[kinds == kind])[::-1], np.sort(suspicion[kinds == NONE])
    if len(of_kind) < MIN_FOUND:
        return 1.0
    plants_above = np.arange((len(of_kind) + 1) // 2, len(of_kind) + 1)
    thresholds = of_kind[plants_above - 1]
    above = (len(real) - np.searchsorted(real, thresholds, side="left")) / len(real)
    return float(min(1.0, (above / (plants_above / len(of_kind))).min()))


def precision_range(
    suspicion: NDArray[np.floating], plants: Sequence[Plants], bounds: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest precision of the first k ranks, k = 1 to N, by the kinds of plants.

    `suspicion` [N] by rank, NaN where not judged; `bounds`: the shares of wrong labels by uniform and by
    likely plants. Of the first k samples, as many are wrong as the recall of plants there times the number of
    wrong labels. The first ranks are at least as precise as more ranks. NaN if a kind has no plants.
    """
    ranks = np.arange(1, len(suspicion) + 1)
    # Suspects come first, so suspicion can rise once along the ranks.
    thresholds = np.fmin.accumulate(suspicion)
    of_kinds = []
    for kind, share in zip((UNIFORM, LIKELY), bounds, strict=True):
        values = np.sort(np.concatenate([each.suspicion[each.kinds == kind] for each in plants]))
        if not len(values):
            of_kinds.append(np.full(len(ranks), np.nan))
            continue
        recall = 1 - np.searchsorted(values, thresholds, side="left") / len(values)
        precision = np.minimum(1, recall * share * len(ranks) / ranks)
        of_kinds.append(np.maximum.accumulate(precision[::-1])[::-1])
    return np.minimum(*of_kinds), np.maximum(*of_kinds)
