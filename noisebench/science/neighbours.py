"""Detection by the labels of the nearest neighbours in feature space.

Features h [N, d] are the last layer's input in evaluation mode. Features of a network that was trained to fit
the given labels agree with wrong ones too; so a sample's neighbours are sought with a model that was not
trained on it, among the samples that were (`nearest` with the held-out samples as queries). Distances in the
feature spaces of different models cannot be compared; labels and distances of each sample's own neighbours
can: `neighbour_labels` int [N, k] and `neighbour_distances` [N, k], cosine distances in [0, 2], nearest
first. Suspicion is higher = more likely wrong.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import InputError
from noisebench.science import transition
from noisebench.science.detection import Detection

Labels = NDArray[np.integer]
Distances = NDArray[np.floating]
Find = Callable[[Labels, Labels, Distances, int], Detection]

# In the authors' code: what a logarithm of a vote of 0 is, and the shares that stand for all and none.
_SMALLEST_VOTE = 1e-8
_SHARE_FOR_ALL, _SHARE_FOR_NONE = 0.95, 0.05


def nearest(
    features: NDArray[np.floating], queries: NDArray[np.floating] | None = None, k: int = 10
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Indices into features [R, d] and cosine distances, each [M, k], of the nearest to each query [M, d].

    Without queries each feature's own neighbours, itself left out. Distances are computed for a block of
    queries at a time. Needs k samples to choose from.
    """
    from sklearn.neighbors import NearestNeighbors

    choice = len(features) - (queries is None)
    if k < 1 or choice < k:
        raise InputError(
            f"neighbours: k {k} must be at least 1 and at most the {choice} samples to choose from"
        )
    search = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(features)
    distances, indices = search.kneighbors(queries)
    return indices.astype(np.int64), distances.astype(np.float32)


def votes(
    neighbour_labels: Labels,
    neighbour_distances: Distances,
    classes: int,
    weights: str = "cosine",
    given_labels: Labels | None = None,
) -> NDArray[np.float64]:
    """Votes [N, K] of the neighbours, rows sum to 1.

    `weights`: "cosine", 1 - distance or 0 if that is negative, or "none", all equal. `given_labels` [N] vote
    too, in place of the farthest neighbour and with the distance 2 d_1 - d_2, as in SimiFeat. A row without
    any weight is uniform.
    """
    if neighbour_labels.shape != neighbour_distances.shape or neighbour_labels.ndim != 2:
        raise InputError(
            f"neighbours: labels {list(neighbour_labels.shape)} and distances "
            f"{list(neighbour_distances.shape)} must both be [N, k]"
        )
    labels, distances = neighbour_labels, neighbour_distances.astype(np.float64)
    if given_labels is not None:
        if distances.shape[1] < 2:
            raise InputError("neighbours: a vote of the own label needs two neighbours; raise k")
        own_distances = 2 * distances[:, :1] - distances[:, 1:2]
        labels = np.concatenate([given_labels[:, np.newaxis], labels[:, :-1]], axis=1)
        distances = np.concatenate([own_distances, distances[:, :-1]], axis=1)
    match weights:
        case "cosine":
            weight = np.maximum(1 - distances, 0)
        case "none":
            weight = np.ones_like(distances)
        case _:
            raise InputError(f"neighbours: weights {weights!r} are unknown; known: cosine, none")
    counts = np.stack([(weight * (labels == each)).sum(axis=1) for each in range(classes)], axis=1)
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(counts, total, out=np.full_like(counts, 1 / classes), where=total > 0))


def similarity(
    labels: Labels,
    neighbour_labels: Labels,
    neighbour_distances: Distances,
    classes: int,
    weights: str = "none",
) -> NDArray[np.float64]:
    """Suspicion [N] in [0, 1]: 1 - the share of the given label among the nearest neighbours.

    After the similarity-based method (arXiv 2509.23964), of which k, threshold and reference set are not
    known here.
    """
    shares = votes(neighbour_labels, neighbour_distances, classes, weights)
    return 1 - shares[np.arange(len(labels)), labels]


def find_simifeat_votes(
    labels: Labels, neighbour_labels: Labels, neighbour_distances: Distances, classes: int
) -> Detection:
    """SimiFeat-V: flag labels that the neighbours and the label itself vote down (Zhu et al., ICML 2022).

    A label that shares the largest vote is kept. Suspicion is 1 - its vote. One round; the authors take the
    majority of rounds with new augmentations. The rate is not needed.
    """
    shares = votes(neighbour_labels, neighbour_distances, classes, given_labels=labels)
    of_label = shares[np.arange(len(labels)), labels]
    return Detection(of_label < shares.max(axis=1), 1 - of_label)


def find_simifeat_ranks(
    labels: Labels, neighbour_labels: Labels, neighbour_distances: Distances, classes: int
) -> Detection:
    """SimiFeat-R: flag in each given class as many as its estimated share of errors (Zhu et al., ICML 2022).

    Suspicion is -ln of the label's vote, votes divided by their L2 norm. The share of class j is 1 - P(true =
    j given label = j), estimated from the agreement of two nearest neighbours (`transition`); all becomes
    0.95, none 0.05, and samples at the threshold are flagged, as in the authors' code. That adds a random
    number within 0.05 to each P; this does not. One round; the rate is estimated.
    """
    shares = votes(neighbour_labels, neighbour_distances, classes, given_labels=labels)
    of_label = (shares / np.linalg.norm(shares, axis=1, keepdims=True))[np.arange(len(labels)), labels]
    suspicion = -np.log(of_label + _SMALLEST_VOTE)
    matrix, prior = transition.estimate(transition.agreement(labels, neighbour_labels[:, :2], classes))
    flagged = np.zeros(len(labels), dtype=np.bool_)
    for given in np.unique(labels):
        members = labels == given
        wrong = 1 - matrix[given, given] * prior[given] / members.mean()
        wrong = _SHARE_FOR_ALL if wrong >= 1 else _SHARE_FOR_NONE if wrong <= 0 else wrong
        flagged[members] = suspicion[members] >= np.percentile(suspicion[members], 100 * (1 - wrong))
    return Detection(flagged, suspicion)
