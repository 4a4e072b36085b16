"""The probability that a label is wrong, from out-of-fold probabilities, without the noise rate.

A model that is trained on labels of which a share e is wrong, spread evenly over the other K - 1 classes,
predicts given labels with q = (1 - e) p + e (1 - p) / (K - 1), where p are the probabilities of the true
class (forward correction, Patrini et al., CVPR 2017). Solved for p, Bayes' rule gives the probability that a
given label is wrong. q is the model's output after a temperature that makes the given labels most likely (Guo
et al., ICML 2017): losses and models differ in how sure they are, and the result must not depend on that. e
is confident learning's estimate. Calibrated q do not determine e, so it cannot be found by iteration.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noisebench.science import confident_learning, rankings

# A label is flagged if it is wrong with this probability: to miss a wrong label costs more than a look at a
# right one.
LEAST = 0.15
_LEAST_PROBABILITY = 1e-12
# Bounds of the inverse temperature; the lowest makes a model of few samples almost undecided.
_LOWEST, _HIGHEST = 0.02, 20.0


def wrong_label(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probability, 0 to 1, that each given label [N] is wrong.

    `probabilities` [N, K], K >= 2, out of fold. Raises DataError for rows that are no probabilities, and if
    all labels are equal.
    """
    confident_learning.check_shapes(labels, probabilities)
    predicted = calibrated(labels, rankings.renormalised(probabilities))
    classes = predicted.shape[1]
    # Where labels say nothing, confident learning may count more errors than chance makes.
    share = min(rankings.estimated_errors(labels, predicted) / len(labels), 0.99 * (classes - 1) / classes)
    of_each_other = share / (classes - 1)
    true = np.clip((predicted - of_each_other) / (1 - share - of_each_other), _LEAST_PROBABILITY, 1)
    of_given = true[np.arange(len(labels)), labels] / true.sum(axis=1)
    if_wrong = of_each_other * (1 - of_given)
    return np.asarray(if_wrong / (if_wrong + (1 - share) * of_given))


def calibrated(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities [N, K] at the temperature at which the given labels [N] are most likely."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    logits = np.log(np.maximum(probabilities, _LEAST_PROBABILITY))
    rows = np.arange(len(labels))

    def loss(log_inverse: float) -> float:
        return -float(log_softmax(np.exp(log_inverse) * logits, axis=1)[rows, labels].mean())

    optimum = minimize_scalar(loss, bounds=(np.log(_LOWEST), np.log(_HIGHEST)), method="bounded")
    return np.asarray(np.exp(log_softmax(np.exp(optimum.x) * logits, axis=1)))
