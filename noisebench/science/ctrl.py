"""CTRL: label errors from clusters of loss curves (Yue & Jha, IEEE TAI 2024, arXiv 2208.08464)."""

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import InputError
from noisebench.science.detection import Detection

_SMOOTHING_EPOCHS = 5


def find(losses: NDArray[np.floating], labels: NDArray[np.int64], classes: int) -> Detection:
    """Flags, in each given class, the cluster of samples whose loss curves enclose the larger area.

    `losses` [N, E]: cross entropy of every sample at every epoch; `labels` [N]: given, 0 to classes - 1.
    Curves are clamped at 2 ln K and smoothed over 5 epochs, as in the authors' code, but without the copies
    of the first value that it prepends. k-means with 2 clusters, one of them noisy, over one window of all
    epochs is one point of the grid that the authors search.
    Every class is split, also one without errors; nothing is flagged in a class with one sample or with equal
    curves. Suspicion is the area: the mean of the smoothed curve.
    """
    if losses.ndim != 2 or labels.shape != losses.shape[:1] or not np.isfinite(losses).all():
        raise InputError(
            f"ctrl: losses {list(losses.shape)} and labels {list(labels.shape)} must be [N, E], finite, "
            "and [N]"
        )
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
