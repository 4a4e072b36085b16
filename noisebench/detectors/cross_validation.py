"""Folds: each sample is judged by a model that was not trained on it."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from noisebench.catalogue.component import Component
from noisebench.detectors.judgement import Judgement
from noisebench.science import confident_learning
from noisebench.science.evidence import Evidence
from noisebench.science.folds import stratified_folds
from noisebench.training.observation import Run
from noisebench.training.runs import results_of
from noisebench.training.surrogate import Indices, Surrogate


def gather(surrogate: Surrogate, needs: Mapping[str, int]) -> Evidence:
    """Train one model for each fold; pool the out-of-fold probabilities of the last epoch.

    Folds are shuffled, not stratified, as in the authors' code; those of a user's own data are stratified,
    and keep samples of one group together. Unlike in the authors' code, every fold starts from a new model,
    so no model has seen its held-out samples. A data set with a separate training part (P2, Table 3) needs no
    folds.
    """
    del needs  # the probabilities are always there
    runs = _runs(surrogate)
    results = results_of(surrogate, runs, partial(_finish, surrogate))
    probabilities = np.empty((len(surrogate.given), surrogate.dataset.classes), dtype=np.float32)
    for run, tensors in zip(runs, results, strict=True):
        probabilities[run.held_out] = tensors["probabilities"].numpy()
    return Evidence(
        labels=surrogate.given,
        classes=surrogate.dataset.classes,
        predicted=probabilities.argmax(1),
        test_accuracies=torch.cat([tensors["test_accuracy"] for tensors in results]).double().numpy(),
        probabilities=probabilities,
    )


def _runs(surrogate: Surrogate) -> list[Run]:
    samples = len(surrogate.given)
    if surrogate.dataset.training is not None:
        return [Run(0, held_out=np.arange(samples))]
    held_out = _held_out(surrogate)
    folds = len(held_out)
    training_parts = [
        np.concatenate([part for other, part in enumerate(held_out) if other != fold])
        for fold in range(folds)
    ]
    parts = zip(training_parts, held_out, strict=True)
    return [Run(fold, rest, held_out=members) for fold, (rest, members) in enumerate(parts)]


def _held_out(surrogate: Surrogate) -> list[Indices]:
    """Return the held-out samples of each fold."""
    folds, dataset = surrogate.trial.detector["folds"], surrogate.dataset
    rng = np.random.default_rng(surrogate.trial.seed_for("folds"))
    if dataset.groups is None:
        return np.array_split(rng.permutation(len(surrogate.given)), folds)
    # By the labels before any corruption: folds must not depend on it.
    fold_of = stratified_folds(dataset.judged.labels, dataset.groups, folds, rng)
    return [np.flatnonzero(fold_of == fold) for fold in range(folds)]


def _finish(surrogate: Surrogate, run: Run, model: nn.Module) -> dict[str, Tensor]:
    return {
        "probabilities": surrogate.probabilities(model, run.held_out),
        "test_accuracy": surrogate.test_accuracy(model),
    }


def judge(evidence: Evidence, detector: Component) -> Judgement:
    """Confident learning on the out-of-fold probabilities (Northcutt et al. 2021)."""
    assert evidence.probabilities is not None
    probabilities, rows = evidence.probabilities, np.arange(len(evidence.labels))
    detection = confident_learning.find(evidence.labels, probabilities, detector["prune"])
    of_label = probabilities[rows, evidence.labels]
    others = probabilities.copy()
    others[rows, evidence.labels] = -np.inf
    return Judgement(detection, {"self_confidence": of_label, "margin": of_label - others.max(1)})
