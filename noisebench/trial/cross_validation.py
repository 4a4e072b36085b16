"""The route of confident learning: k folds, every sample judged by the model that did not see it."""

import numpy as np

from noisebench.science import confident_learning
from noisebench.trial.judgement import Judgement
from noisebench.trial.surrogate import Surrogate


def judge(surrogate: Surrogate) -> Judgement:
    """Train a model a fold, pool the out-of-fold probabilities of the last epoch, detect once.

    Folds are shuffled, not stratified, as in the authors' code; unlike there, every fold starts from a
    model of its own, so that no held-out sample was ever trained on.
    """
    trial, samples = surrogate.trial, len(surrogate.given)
    shuffled = np.random.default_rng(trial.seed_for("folds")).permutation(samples)
    held_out = np.array_split(shuffled, trial.detector["folds"])
    probabilities = np.empty((samples, surrogate.dataset.classes), dtype=np.float32)
    accuracies = []
    for fold, members in enumerate(held_out):
        rest = np.concatenate([part for other, part in enumerate(held_out) if other != fold])
        model = surrogate.train(fold, rest)
        probabilities[members] = surrogate.logits(model, members).float().softmax(1).cpu().numpy()
        accuracies.extend(surrogate.test_accuracy(model))
    detection = confident_learning.find(surrogate.given, probabilities, trial.detector["prune"])
    rows = np.arange(samples)
    own = probabilities[rows, surrogate.given]
    others = probabilities.copy()
    others[rows, surrogate.given] = -np.inf
    scores = {"self_confidence": own, "margin": own - others.max(1)}
    return Judgement(detection, probabilities.argmax(1), scores, accuracies)
