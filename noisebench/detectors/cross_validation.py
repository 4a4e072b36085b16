"""Folds: each sample is judged by a model that was not trained on it."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from noisebench.catalogue.component import Component
from noisebench.detectors.judgement import Judgement
from noisebench.records.first_fold import Counts, note_first_fold
from noisebench.science import confident_learning, neighbours
from noisebench.science.evidence import Evidence
from noisebench.science.folds import stratified_folds
from noisebench.training.fits import results_of
from noisebench.training.observation import Fit
from noisebench.training.surrogate import Indices, Surrogate

# What a fit leaves of its held-out samples.
_OF_SAMPLES = ("probabilities", "passes", "neighbour_labels", "neighbour_distances")


def gather(surrogate: Surrogate, needs: Mapping[str, int]) -> Evidence:
    """Train one model for each fold; pool the out-of-fold probabilities of the last epoch.

    Folds are shuffled, not stratified, as in the authors' code; those of a user's own data are stratified,
    and keep samples of one group together. Unlike in the authors' code, every fold starts from a new model,
    so no model has seen its held-out samples. A data set with a separate training part (P2, Table 3) needs no
    folds.
    """
    fits = _fits(surrogate)
    results = results_of(surrogate, fits, partial(_finish, surrogate, needs))
    arrays = [{name: tensor.numpy() for name, tensor in tensors.items()} for tensors in results]
    pooled: dict[str, Any] = {
        name: _pooled(fits, [each[name] for each in arrays]) for name in arrays[0] if name in _OF_SAMPLES
    }
    probabilities = pooled.pop("probabilities")
    return Evidence(
        labels=surrogate.given,
        classes=surrogate.dataset.classes,
        predicted=probabilities.argmax(1),
        test_accuracies=torch.cat([tensors["test_accuracy"] for tensors in results]).double().numpy(),
        probabilities=probabilities,
        **pooled,
    )


def _pooled(fits: Sequence[Fit], parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return the held-out parts [n, ...] of all fits in the order of the samples [N, ...].

    Passes have the samples on the second axis.
    """
    order = np.argsort(np.concatenate([fit.held_out for fit in fits if fit.held_out is not None]))
    axis = 1 if parts[0].ndim == 3 else 0
    return np.ascontiguousarray(np.concatenate(parts, axis).take(order, axis))


def _fits(surrogate: Surrogate) -> list[Fit]:
    samples = len(surrogate.given)
    if surrogate.dataset.training is not None:
        return [Fit(0, held_out=np.arange(samples))]
    held_out = _held_out(surrogate)
    folds = len(held_out)
    training_parts = [
        np.concatenate([part for other, part in enumerate(held_out) if other != fold])
        for fold in range(folds)
    ]
    parts = zip(training_parts, held_out, strict=True)
    return [Fit(fold, rest, held_out=members) for fold, (rest, members) in enumerate(parts)]


def _held_out(surrogate: Surrogate) -> list[Indices]:
    """Return the held-out samples of each fold."""
    folds, dataset = surrogate.trial.detector["folds"], surrogate.dataset
    rng = np.random.default_rng(surrogate.trial.seed_for("folds"))
    if dataset.groups is None:
        return np.array_split(rng.permutation(len(surrogate.given)), folds)
    # By the labels before any corruption: folds must not depend on it.
    fold_of = stratified_folds(dataset.judged.labels, dataset.groups, folds, rng)
    return [np.flatnonzero(fold_of == fold) for fold in range(folds)]


def _finish(surrogate: Surrogate, needs: Mapping[str, int], fit: Fit, model: nn.Module) -> dict[str, Tensor]:
    result = {
        "probabilities": surrogate.probabilities(model, fit.held_out),
        "test_accuracy": surrogate.test_accuracy(model),
    }
    if surrogate.dataset.groups is not None:
        _note_first_fold(surrogate, fit, result["probabilities"])
    if "passes" in needs:
        result["passes"] = _passes(surrogate, fit, model, needs["passes"])
    if "neighbour_labels" in needs:
        result |= _neighbours(surrogate, fit, model, needs["neighbour_labels"])
    return result


def _note_first_fold(surrogate: Surrogate, fit: Fit, probabilities: Tensor) -> None:
    """Note whether the model of a user's own data learns, long before the trial ends."""
    given, predicted = surrogate.given[fit.held_out], probabilities.argmax(1).numpy()
    if len(given):
        counts = Counts(len(given), int((given == predicted).sum()), int(np.bincount(given).max()))
        note_first_fold(surrogate.checkpoints.folder, counts)


def _passes(surrogate: Surrogate, fit: Fit, model: nn.Module, count: int) -> Tensor:
    """Return the probabilities [count, n, K] of passes with dropout; each has a seed of its own."""
    seeds = (surrogate.trial.seed_for("passes", fit.number, number) for number in range(count))
    return torch.stack([surrogate.probabilities(model, fit.held_out, dropout_seed=seed) for seed in seeds])


def _neighbours(surrogate: Surrogate, fit: Fit, model: nn.Module, k: int) -> dict[str, Tensor]:
    """Return given labels and distances [n, k] of the training samples nearest to the held-out ones."""
    indices = np.arange(len(surrogate.training_targets)) if fit.indices is None else fit.indices
    references = surrogate.features(model, surrogate.training, indices)
    assert fit.held_out is not None
    queries = surrogate.features(model, surrogate.judged, fit.held_out)
    nearest, distances = neighbours.nearest(references, queries, k)
    labels = surrogate.training_targets[indices][nearest]
    return {"neighbour_labels": torch.from_numpy(labels), "neighbour_distances": torch.from_numpy(distances)}


def judge(evidence: Evidence, detector: Component) -> Judgement:
    """Confident learning on the out-of-fold probabilities (Northcutt et al. 2021)."""
    assert evidence.probabilities is not None
    probabilities, rows = evidence.probabilities, np.arange(len(evidence.labels))
    detection = confident_learning.find(evidence.labels, probabilities, detector["prune"])
    of_label = probabilities[rows, evidence.labels]
    others = probabilities.copy()
    others[rows, evidence.labels] = -np.inf
    return Judgement(detection, {"self_confidence": of_label, "margin": of_label - others.max(1)})
