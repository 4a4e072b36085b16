"""Flag rules that methods of robust training apply to traces, taken out of their trainings.

Arrays and their two kinds as in `traces`. None of the rules knows the noise rate. Samples with a NaN are not
judged: no flag, suspicion NaN.
"""

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import InputError
from noisebench.science import flag_rules, traces
from noisebench.science.detection import Detection
from noisebench.science.traces import Classes, Trace


def find_dividemix(losses: Trace, warm_up: int = 10, epochs: int = 1) -> Detection:
    """Flag losses of one epoch whose probability under the lower of two Gaussians is at most 0.5.

    DivideMix (Li et al., ICLR 2020), on losses after the epoch: those of epoch `warm_up` (10 for CIFAR-10, 30
    for CIFAR-100), or the last if there are fewer, scaled to [0, 1]. `epochs`: the mean over so many epochs
    up to it (the authors take 5 at a rate of 0.9). The fit is the authors': 10 iterations, tolerance 1e-2,
    variances of at least 5e-4. Equal losses flag nothing. Suspicion is the loss.
    """
    if warm_up < 1 or epochs < 1:
        raise InputError(f"dividemix: warm_up {warm_up} and epochs {epochs} must be at least 1")
    loss = traces.last_loss(losses[:, :warm_up], epochs)
    flagged = np.zeros(len(loss), dtype=np.bool_)
    judged = ~np.isnan(loss)
    scaled = flag_rules.scaled_to_unit(loss[judged])
    if scaled is not None:
        _, upper = flag_rules.two_gaussians(scaled, iterations=10, tolerance=1e-2)
        flagged[judged] = 1 - upper <= 0.5
    return Detection(flagged, loss)


def find_selnlpl(losses: Trace, epochs: int = 10, gamma: float = 0.5) -> Detection:
    """Flag labels whose mean p over the last `epochs`, in passing, is below gamma; suspicion is 1 - mean.

    What SelNLPL (Kim et al., ICCV 2019) leaves out of its last, positive training. The authors train with the
    loss NL; with cross entropy wrong labels reach gamma when they are memorised.
    """
    suspicion = traces.confidence(losses[:, -epochs:])
    return Detection(1 - suspicion < gamma, suspicion)


def find_hard_to_learn(losses: Trace, confidence: float = 0.2, variability: float = 0.15) -> Detection:
    """Flag labels with a mean p of at most `confidence` that varies by at most `variability`.

    The region of data maps (Swayamdipta et al., EMNLP 2020) that holds wrong labels, bounds as in H-CAT
    (Seedat et al., ICLR 2024). Suspicion is 1 - mean p.
    """
    suspicion = traces.confidence(losses)
    flagged = (1 - suspicion <= confidence) & (traces.variability(losses) <= variability)
    return Detection(flagged, suspicion)


def find_selfie(
    labels: Classes,
    predicted: Classes,
    losses: Trace,
    classes: int,
    history: int = 15,
    epsilon: float = 0.05,
) -> Detection:
    """Flag labels that the last `history` predictions, almost all the same, contradict.

    SELFIE (Song et al., ICML 2019) corrects a label if the entropy of the predictions, divided by ln K, is at
    most epsilon; a correction that changes the label is a flag. All epochs are the history if there are
    fewer: the authors' starts with predictions of class 0. Suspicion is the number of predictions in the
    history that differ from the label, ties broken by mean loss.
    """
    if history < 1:
        raise InputError(f"selfie: history {history} must be at least 1")
    suspicion = traces.correctness(labels, predicted[:, -history:], losses[:, -history:])
    counts = _counts(predicted[:, -history:], classes)
    shares = counts / counts.sum(axis=1, keepdims=True)
    logarithms = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy = -(shares * logarithms).sum(axis=1) / np.log(classes)
    flagged = (entropy <= epsilon) & (counts.argmax(axis=1) != labels) & ~np.isnan(suspicion)
    return Detection(flagged, suspicion)


def find_crssc(
    labels: Classes,
    predicted: Classes,
    losses: Trace,
    squared_errors: Trace,
    classes: int,
    epochs: int = 5,
) -> Detection:
    """Flag labels with a large loss and a distinct prediction of another class; suspicion is the loss.

    CRSSC (Sun et al., 2020), over the last `epochs` epochs of a training instead of within its batches.
    Labels with less than the mean loss are clean. Of the others, those whose probabilities have at least the
    clean ones' mean standard deviation over the classes are relabelled with the class predicted most often.
    They are flagged if that differs from their label. The rest, of no class, is not flagged. Unlike in the
    authors' training, labels are not smoothed.
    """
    if epochs < 1:
        raise InputError(f"crssc: epochs {epochs} must be at least 1")
    recent = losses[:, -epochs:].astype(np.float64)
    loss = traces.mean_loss(recent)
    # sum_k p_k^2 = |p - onehot|^2 - 1 + 2 p_y; the variance is torch's, with K - 1 in the denominator.
    squares = squared_errors[:, -epochs:].astype(np.float64) - 1 + 2 * np.exp(-recent)
    spread = np.sqrt(np.maximum(squares - 1 / classes, 0) / (classes - 1)).mean(axis=1)
    judged = ~np.isnan(loss)
    flagged = np.zeros(len(loss), dtype=np.bool_)
    clean = judged & (loss < (loss[judged].mean() if judged.any() else 0))
    if clean.any():
        relabelled = judged & ~clean & (spread >= spread[clean].mean())
        flagged = relabelled & (_counts(predicted[:, -epochs:], classes).argmax(axis=1) != labels)
    return Detection(flagged, loss)


def _counts(predicted: Classes, classes: int) -> NDArray[np.int64]:
    """How often [N, K] each class is predicted."""
    return np.stack([(predicted == each).sum(axis=1) for each in range(classes)], axis=1)
