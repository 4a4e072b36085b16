"""The labels a trial trains on."""

from __future__ import annotations

import numpy as np

from noisebench.data.datasets import Dataset, Labels
from noisebench.errors import DataError
from noisebench.science import corruption
from noisebench.sweep.trial import Trial


def given_labels(trial: Trial, dataset: Dataset) -> Labels:
    """Return the labels [N] of the judged samples: people's, or the true ones corrupted by their own seed."""
    if trial.corruption.name == "human":
        if dataset.human is None:
            raise DataError(f"{trial.dataset.name} has no human labels")
        return dataset.human.copy()
    return _corrupt(trial, dataset.judged.labels, dataset.classes, part=0)


def training_labels(trial: Trial, dataset: Dataset) -> Labels | None:
    """Return the labels of a training part of its own, None where the judged samples are trained on.

    P2 does not say whether the training labels of Table 3 are corrupted too; CE's rise with the rate, like
    that of Table 1, speaks for it. `corrupt_training: false` leaves them clean.
    """
    if dataset.training is None:
        return None
    if not trial.dataset["corrupt_training"]:
        return dataset.training.labels.copy()
    return _corrupt(trial, dataset.training.labels, dataset.classes, part=1)


def _corrupt(trial: Trial, clean: Labels, classes: int, part: int) -> Labels:
    kind = trial.corruption
    if kind.name == "none":
        return clean.copy()
    rng = np.random.default_rng(trial.seed_for("corruption", part))
    if kind.name == "uniform":
        return (corruption.uniform_exact if kind["exact"] else corruption.uniform)(
            clean, classes, kind["rate"], rng
        )
    if kind["matrix"] is not None:
        matrix = np.array(kind["matrix"])
        if len(matrix) != classes:
            raise DataError(
                f"corruption: matrix is {len(matrix)} x {len(matrix)}, the data has {classes} classes"
            )
    else:
        matrix = corruption.standard_matrix(trial.dataset.name, classes, kind["rate"])
    return corruption.asymmetric(clean, matrix, rng)
