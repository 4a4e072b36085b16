"""The given labels of a trial."""

from __future__ import annotations

import numpy as np

from noisebench.catalogue import datasets as catalogue
from noisebench.catalogue.corruptions import CORRUPTIONS
from noisebench.data.datasets import Dataset, Labels
from noisebench.errors import DataError
from noisebench.science import corruption
from noisebench.sweep.trial import Trial


def given_labels(trial: Trial, dataset: Dataset) -> Labels:
    """Return the given labels [N] of the judged samples: human labels, or corrupted true labels."""
    return _corrupt(trial, dataset, dataset.judged.labels, part=0)


def training_labels(trial: Trial, dataset: Dataset) -> Labels | None:
    """Return the labels of a separate training part, None if the judged samples are trained on.

    P2 does not say whether the training labels of Table 3 are corrupted too. CE's values rise with the rate,
    as in Table 1, which suggests that they are. `corrupt_training: false` leaves them clean.
    """
    if dataset.training is None:
        return None
    if not trial.dataset["corrupt_training"]:
        return dataset.training.labels.copy()
    return _corrupt(trial, dataset, dataset.training.labels, part=1)


def _corrupt(trial: Trial, dataset: Dataset, labels: Labels, part: int) -> Labels:
    rng = np.random.default_rng(trial.seed_for("corruption", part))
    noisy: Labels = CORRUPTIONS[trial.corruption.name].load()(trial, dataset, labels, rng)
    return noisy


def uniform(trial: Trial, dataset: Dataset, labels: Labels, rng: np.random.Generator) -> Labels:
    """Return labels [N] flipped to any other class: each with probability `rate`, or exactly that share."""
    flip = corruption.uniform_exact if trial.corruption["exact"] else corruption.uniform
    return flip(labels, dataset.classes, trial.corruption["rate"], rng)


def asymmetric(trial: Trial, dataset: Dataset, labels: Labels, rng: np.random.Generator) -> Labels:
    """Return labels [N] flipped by the matrix, or by the data set's standard map at the rate."""
    kind, classes = trial.corruption, dataset.classes
    if kind["matrix"] is not None:
        matrix = np.array(kind["matrix"])
        if len(matrix) != classes:
            raise DataError(
                f"corruption: matrix is {len(matrix)} x {len(matrix)}, the data has {classes} classes"
            )
        return corruption.asymmetric(labels, matrix, rng)
    confusions = catalogue.dataset(trial.dataset.name).confusions
    if confusions is None:
        raise DataError(f"corruption: {trial.dataset.name} has no standard map; give `matrix`")
    return corruption.asymmetric(labels, corruption.confusion_matrix(confusions, classes, kind["rate"]), rng)


def human(trial: Trial, dataset: Dataset, labels: Labels, rng: np.random.Generator) -> Labels:
    """Return human labels [N]."""
    del labels, rng
    if dataset.human is None:
        raise DataError(f"{trial.dataset.name} has no human labels")
    return dataset.human.copy()


def clean(trial: Trial, dataset: Dataset, labels: Labels, rng: np.random.Generator) -> Labels:
    """Return the true labels [N]."""
    del trial, dataset, rng
    return labels.copy()
