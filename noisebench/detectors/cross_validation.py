"""Confident learning: each sample is judged by a model that was not trained on it."""

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from noisebench.detectors.judgement import Judgement
from noisebench.science import confident_learning
from noisebench.training.observation import Run
from noisebench.training.runs import results_of
from noisebench.training.surrogate import Surrogate


def judge(surrogate: Surrogate) -> Judgement:
    """Train one model for each fold, pool the out-of-fold probabilities of the last epoch, detect once.

    Folds are shuffled, not stratified, as in the authors' code. Unlike in that code, every fold starts from
    a new model, so no model has seen its held-out samples. A data set with a separate training part (P2,
    Table 3) needs no folds.
    """
    samples = len(surrogate.given)
    if surrogate.dataset.training is not None:
        return _detect(surrogate, [Run(0, held_out=np.arange(samples))])
    folds = surrogate.trial.detector["folds"]
    shuffled = np.random.default_rng(surrogate.trial.seed_for("folds")).permutation(samples)
    held_out = np.array_split(shuffled, folds)
    training_parts = [
        np.concatenate([part for other, part in enumerate(held_out) if other != fold])
        for fold in range(folds)
    ]
    parts = zip(training_parts, held_out, strict=True)
    return _detect(
        surrogate, [Run(fold, rest, held_out=members) for fold, (rest, members) in enumerate(parts)]
    )


def _finish(surrogate: Surrogate, run: Run, model: nn.Module) -> dict[str, Tensor]:
    return {
        "probabilities": surrogate.probabilities(model, run.held_out),
        "test_accuracy": surrogate.test_accuracy(model),
    }


def _detect(surrogate: Surrogate, runs: list[Run]) -> Judgement:
    results = results_of(surrogate, runs, partial(_finish, surrogate))
    rows = np.arange(len(surrogate.given))
    probabilities = np.empty((len(rows), surrogate.dataset.classes), dtype=np.float32)
    for run, tensors in zip(runs, results, strict=True):
        probabilities[run.held_out] = tensors["probabilities"].numpy()
    detection = confident_learning.find(surrogate.given, probabilities, surrogate.trial.detector["prune"])
    of_label = probabilities[rows, surrogate.given]
    others = probabilities.copy()
    others[rows, surrogate.given] = -np.inf
    scores = {"self_confidence": of_label, "margin": of_label - others.max(1)}
    accuracies = torch.cat([tensors["test_accuracy"] for tensors in results]).tolist()
    return Judgement(detection, probabilities.argmax(1), scores, accuracies)
