"""CTRL: label errors from clusters of loss curves (Yue & Jha, IEEE TAI 2024, arXiv 2208.08464).

`find` is one point of the grid that the authors search, `search` the whole grid with their choice among the
masks, but without the clean test set.
"""

import math
import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import InputError
from noisebench.science.detection import Detection

_SMOOTHING_EPOCHS = 5


@dataclass(frozen=True)
class GridPoint:
    """How a mask is made: k-means with `clusters`, of which the `noisy` with the largest areas are suspect.

    A sample is kept that at least `votes` of `windows` parts of the training hold for clean.
    """

    clusters: int
    noisy: int
    windows: int
    votes: int


GRID = tuple(
    GridPoint(clusters, noisy, windows, votes)
    for clusters in (2, 3)
    for noisy in range(1, clusters)
    for windows in (1, 2, 4)
    for votes in range(1, windows // 2 + 2)
)
"""The authors' 18 points."""


def find(losses: NDArray[np.floating], labels: NDArray[np.int64], classes: int) -> Detection:
    """Flags, in each given class, the cluster of samples whose loss curves enclose the larger area.

    `losses` [N, E]: cross entropy of every sample at every epoch; `labels` [N]: given, 0 to classes - 1.
    Curves are clamped at 2 ln K and smoothed over 5 epochs, as in the authors' code, but without the copies
    of the first value that it prepends. k-means with 2 clusters, one of them noisy, over one window of all
    epochs is one point of the grid that the authors search.
    Every class is split, also one without errors; nothing is flagged in a class with one sample or with equal
    curves. Suspicion is the area: the mean of the smoothed curve.
    """
    _check(losses, labels)
    curves = _smooth(np.minimum(losses.astype(np.float64), 2 * math.log(classes)))
    flagged = np.zeros(len(labels), dtype=np.bool_)
    for given in range(classes):
        members = np.flatnonzero(labels == given)
        if len(members) > 1:
            flagged[members] = _noisy_cluster(curves[members])
    return Detection(flagged, curves.mean(axis=1))


def _smooth(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """The moving average over up to five epochs: [N, E] to [N, E - 4]."""
    width = min(_SMOOTHING_EPOCHS, curves.shape[1])
    windows = np.lib.stride_tricks.sliding_window_view(curves, width, axis=1)
    return np.asarray(windows.mean(axis=-1))


def _noisy_cluster(curves: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the curves [n, E] of one class lie in the cluster with the larger mean."""
    from sklearn.cluster import KMeans

    with warnings.catch_warnings():
        # Equal curves give one cluster instead of two; the comparison of areas then flags nothing.
        warnings.simplefilter("ignore")
        clusters = KMeans(n_clusters=2, n_init=10, random_state=0).fit(curves)
    areas = clusters.cluster_centers_.mean(axis=1)
    return np.asarray((clusters.labels_ == areas.argmax()) & (areas.max() > areas.min()))


def search(
    losses: NDArray[np.floating],
    labels: NDArray[np.int64],
    classes: int,
    predicted: NDArray[np.integer],
    alpha: float = 1.0,
) -> Detection:
    """Flag the samples that the best of the grid's masks leaves out.

    `losses` [N, E] and `labels` [N] as for `find`, losses after the epoch; `predicted` [N, E]: the class that
    the model predicts for each sample after each epoch, of which the last counts. The best mask has the
    largest silhouette times (2 A L)^alpha. Silhouette: that of the flagged against the kept curves, mean over
    the given classes. A: the accuracy on the kept samples, mean over the classes. L: the last loss of the
    flagged over that of the kept samples. alpha > 0, in the authors' code 1 for CIFAR-10, 0.25 for CIFAR-100.

    The authors use the accuracy of the last and of the best checkpoint; the best is chosen on clean test
    labels, so here the last counts twice. Smoothing and padding are theirs: the first epoch is left out.
    Nothing is flagged if no mask parts a class. Suspicion is the mean of the smoothed curve.
    """
    _check(losses, labels)
    if predicted.shape != losses.shape or alpha <= 0:
        raise InputError(
            f"ctrl: predicted {list(predicted.shape)} must have the shape of the losses "
            f"{list(losses.shape)}, and alpha {alpha} must be above 0"
        )
    curves = _smooth_and_pad(np.minimum(losses.astype(np.float64), 2 * math.log(classes)))
    flagged = _masks(curves, labels)
    right = predicted[:, -1] == labels
    ratios = [_accuracy(right, labels, ~mask) * _loss_ratio(curves[:, -1], mask) for mask in flagged]
    qualities = silhouettes(curves, labels, flagged) * (2 * np.array(ratios)) ** alpha
    if np.isnan(qualities).all():
        return Detection(np.zeros(len(labels), dtype=np.bool_), curves.mean(axis=1))
    return Detection(flagged[np.nanargmax(qualities)], curves.mean(axis=1))


def silhouettes(
    curves: NDArray[np.float64], labels: NDArray[np.int64], flagged: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Silhouettes [G] of the groups that each mask of `flagged` [G, N] forms of curves [N, E], in [-1, 1].

    The mean over the given classes in which the mask has two groups; NaN if there is none. The distances of
    a class are computed once for all masks, a block of rows at a time.
    """
    from sklearn.metrics import pairwise_distances_chunked

    by_class = np.full((len(flagged), labels.max(initial=-1) + 1), np.nan)
    for given in np.unique(labels):
        members = np.flatnonzero(labels == given)
        groups = flagged[:, members].T.astype(np.float64)
        # Sums of the distances to the flagged and to the kept samples, [n, G] each.
        chunks = [
            (rows @ groups, rows @ (1 - groups)) for rows in pairwise_distances_chunked(curves[members])
        ]
        to_flagged, to_kept = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
        by_class[:, given] = _silhouettes_of_class(groups, to_flagged, to_kept)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(by_class, axis=1)) if by_class.size else np.full(len(flagged), np.nan)


def _silhouettes_of_class(
    groups: NDArray[np.float64], to_flagged: NDArray[np.float64], to_kept: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean silhouettes [G] from membership and sums of distances [n, G]; a group of one counts 0."""
    sizes, rest = groups.sum(axis=0), (1 - groups).sum(axis=0)
    own_size = np.where(groups == 1, sizes, rest)
    other_size = len(groups) - own_size
    within = np.where(groups == 1, to_flagged, to_kept) / np.maximum(own_size - 1, 1)
    between = np.where(groups == 1, to_kept, to_flagged) / np.maximum(other_size, 1)
    largest = np.maximum(within, between)
    scores = np.divide(between - within, largest, out=np.zeros_like(within), where=largest > 0)
    scores[own_size == 1] = 0
    return np.where((sizes > 0) & (rest > 0), scores.mean(axis=0), np.nan)


def _masks(curves: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The flagged samples [G, N] of every point of the grid."""
    flagged = np.zeros((len(GRID), len(labels)), dtype=np.bool_)
    for clusters in (2, 3):
        for windows in (1, 2, 4):
            ranks = _area_ranks(curves, labels, clusters, windows)
            for number, point in enumerate(GRID):
                if (point.clusters, point.windows) == (clusters, windows):
                    flagged[number] = (ranks >= point.noisy).sum(axis=0) < point.votes
    return flagged


def _area_ranks(
    curves: NDArray[np.float64], labels: NDArray[np.int64], clusters: int, windows: int
) -> NDArray[np.int64]:
    """For each window [W, N] the rank of the sample's cluster in its class by area, 0 for the largest.

    In a class that does not fall into so many clusters, every sample has the last rank: it is clean.
    """
    from sklearn.cluster import KMeans

    ranks = np.full((windows, len(labels)), clusters, dtype=np.int64)
    edges = [window * curves.shape[1] // windows for window in range(windows + 1)]
    for window, (start, end) in enumerate(pairwise(edges)):
        for given in np.unique(labels):
            members = np.flatnonzero(labels == given)
            part = curves[members, start:end]
            if part.shape[1] == 0 or len(np.unique(part, axis=0)) < clusters:
                continue
            fit = KMeans(n_clusters=clusters, n_init=10, random_state=0).fit(part)
            order = np.argsort(-fit.cluster_centers_.sum(axis=1), kind="stable")
            ranks[window, members] = np.argsort(order)[fit.labels_]
    return ranks


def _smooth_and_pad(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """The moving average without the first epoch, its first value copied in front: [N, E] as before."""
    if curves.shape[1] == 1:
        return curves
    smooth = _smooth(curves[:, 1:])
    return np.concatenate(
        [np.repeat(smooth[:, :1], curves.shape[1] - smooth.shape[1], axis=1), smooth], axis=1
    )


def _accuracy(right: NDArray[np.bool_], labels: NDArray[np.int64], kept: NDArray[np.bool_]) -> float:
    """The accuracy on the kept samples, mean over the classes that have any; NaN if there are none."""
    shares = [right[kept & (labels == given)].mean() for given in np.unique(labels[kept])]
    return float(np.mean(shares)) if shares else math.nan


def _loss_ratio(last: NDArray[np.float64], flagged: NDArray[np.bool_]) -> float:
    """The mean of the flagged samples' last losses over that of the kept ones; NaN for an empty group."""
    if flagged.all() or not flagged.any():
        return math.nan
    return float(last[flagged].mean() / max(last[~flagged].mean(), np.finfo(np.float64).tiny))


def _check(losses: NDArray[np.floating], labels: NDArray[np.int64]) -> None:
    if losses.ndim != 2 or labels.shape != losses.shape[:1] or not np.isfinite(losses).all():
        raise InputError(
            f"ctrl: losses {list(losses.shape)} and labels {list(labels.shape)} must be [N, E], finite, "
            "and [N]"
        )
