"""UQ-LED: confident learning on passes with dropout (Jakubik et al., JAIR 2025, arXiv 2405.09602).

`passes` [T, N, K]: out-of-fold probabilities of T passes with dropout on, BatchNorm in evaluation mode, each
pass with a seed of its own; rows sum to 1 (those of float16 are renormalised). The authors take T = 5, four
folds and dropout 0.5. All prune by noise rate and none knows it. Suspicion [N] is 1 - mean p of the given
label. The authors released no code: the entropy gate follows another implementation (TADR), the votes are
simple majorities.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import InputError
from noisebench.science import confident_learning, rankings
from noisebench.science.detection import Detection

Passes = NDArray[np.floating]
Find = Callable[[NDArray[np.int64], Passes], Detection]

# cleanlab's slack for probabilities at a threshold.
_SLACK = 1e-6


def find_mean(labels: NDArray[np.int64], passes: Passes) -> Detection:
    """CL-MCD: confident learning on the mean of the passes."""
    return confident_learning.find(labels, _mean(_checked(passes)), "noise-rate")


def find_mean_entropy(labels: NDArray[np.int64], passes: Passes) -> Detection:
    """CL-MCD-E: as CL-MCD, but uncertain samples do not count in the confident joint.

    A sample counts if some mean p(k) reaches the mean of class k and its entropy is at most the mean entropy
    of its given class, both means over the samples labelled so.
    """
    p = _mean(_checked(passes))
    return confident_learning.find(labels, p, "noise-rate", gated_joint(labels, p))


def find_ensemble(labels: NDArray[np.int64], passes: Passes) -> Detection:
    """CL-MCD-Ens: confident learning on each pass; flags by more than half of the passes."""
    checked = _checked(passes)
    flags = [confident_learning.find(labels, each, "noise-rate").flagged for each in checked]
    return Detection(majority(flags), rankings.self_confidence(labels, _mean(checked)))


def find_algorithms(labels: NDArray[np.int64], passes: Passes) -> Detection:
    """Algorithm Ensemble: flags by at least two of CL-MCD, CL-MCD-E and CL-MCD-Ens."""
    detections = [find(labels, passes) for find in (find_mean, find_mean_entropy, find_ensemble)]
    return Detection(majority([each.flagged for each in detections]), detections[0].suspicion)


def majority(flags: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return where more than half of the flags, each [N], are set."""
    return np.asarray(np.sum(flags, axis=0) * 2 > len(flags))


def gated_joint(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.int64]:
    """The calibrated joint [K, K] of (given, true) labels after the entropy gate; rows sum to the labels.

    Of several classes that reach their thresholds the most probable counts. As in cleanlab, each diagonal
    count is at least 1. Raises DataError for a class that no label names.
    """
    from cleanlab.count import calibrate_confident_joint
    from scipy.special import entr

    confident_learning.check(labels, probabilities)
    classes = probabilities.shape[1]
    entropy = entr(probabilities).sum(axis=1)
    of_class = [labels == given for given in range(classes)]
    thresholds = np.array([probabilities[members, k].mean() for k, members in enumerate(of_class)])
    gates = np.array([entropy[members].mean() for members in of_class])
    reached = probabilities >= thresholds - _SLACK
    counts = reached.any(axis=1) & (entropy <= gates[labels])
    assigned = np.where(reached, probabilities, -1).argmax(axis=1)
    joint = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(joint, (labels[counts], assigned[counts]), 1)
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    return np.asarray(calibrate_confident_joint(joint, labels), dtype=np.int64)


def _mean(passes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(passes.mean(axis=0))


def _checked(passes: Passes) -> NDArray[np.float64]:
    """The passes in float64, renormalised; refuses what is not several different passes."""
    if passes.ndim != 3 or len(passes) < 2:
        raise InputError(f"uq-led: passes {list(passes.shape)} must be [T, N, K] with T of 2 or more")
    if (passes == passes[0]).all():
        raise InputError(
            f"uq-led: all {len(passes)} passes are equal, as the model has no dropout; take a model with "
            "dropout (small-cnn), or the detector confident-learning"
        )
    return np.stack([rankings.renormalised(each) for each in passes])
