"""The route of confident learning: every sample judged by a model that was not trained on it."""

from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noisebench.science import confident_learning
from noisebench.trial.judgement import Judgement
from noisebench.trial.surrogate import Surrogate


def judge(surrogate: Surrogate) -> Judgement:
    """Train a model a fold, pool the out-of-fold probabilities of the last epoch, detect once.

    Folds are shuffled, not stratified, as in the authors' code; unlike there, every fold starts from a
    model of its own, so that no held-out sample was ever trained on. A data set with a training part of
    its own (P2, Table 3) needs no folds.
    """
    if surrogate.dataset.training is not None:
        everything = np.arange(len(surrogate.given))
        return _detect(
            surrogate, [(everything, surrogate.once(0, partial(_run, surrogate, 0, None, everything)))]
        )
    samples, folds = len(surrogate.given), surrogate.trial.detector["folds"]
    shuffled = np.random.default_rng(surrogate.trial.seed_for("folds")).permutation(samples)
    held_out = np.array_split(shuffled, folds)
    found = []
    for fold, members in enumerate(held_out):
        rest = np.concatenate([part for other, part in enumerate(held_out) if other != fold])
        found.append((members, surrogate.once(fold, partial(_run, surrogate, fold, rest, members))))
    return _detect(surrogate, found)


def _run(
    surrogate: Surrogate, run: int, indices: npt.NDArray[np.int64] | None, members: npt.NDArray[np.int64]
) -> dict[str, Tensor]:
    model = surrogate.train(run, indices, held_out=members)
    return {
        "probabilities": surrogate.probabilities(model, members),
        "test_accuracy": surrogate.test_accuracy(model),
    }


def _detect(surrogate: Surrogate, found: list[tuple[npt.NDArray[np.int64], dict[str, Tensor]]]) -> Judgement:
    rows = np.arange(len(surrogate.given))
    probabilities = np.empty((len(rows), surrogate.dataset.classes), dtype=np.float32)
    for members, run in found:
        probabilities[members] = run["probabilities"].numpy()
    detection = confident_learning.find(surrogate.given, probabilities, surrogate.trial.detector["prune"])
    own = probabilities[rows, surrogate.given]
    others = probabilities.copy()
    others[rows, surrogate.given] = -np.inf
    scores = {"self_confidence": own, "margin": own - others.max(1)}
    accuracies = torch.cat([run["test_accuracy"] for _, run in found]).tolist()
    return Judgement(detection, probabilities.argmax(1), scores, accuracies)
