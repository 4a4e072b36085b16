"""What one trial measures: corrupt, train, detect, score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from noisebench.science import corruption
from noisebench.science.metrics import detection_metrics, guard
from noisebench.spec.trial import Trial
from noisebench.trial import cross_validation, margin_runs
from noisebench.trial.data import Labels, load_dataset
from noisebench.trial.judgement import Judgement
from noisebench.trial.surrogate import Surrogate, own_randomness

_ROUTES: dict[str, Callable[[Surrogate], Judgement]] = {
    "confident-learning": cross_validation.judge,
    "aum": margin_runs.judge,
}


@dataclass(frozen=True)
class Measurement:
    """A finished trial: `result` holds columns of `results`, `epochs` rows of `epochs`, `samples` arrays [N]."""

    result: dict[str, Any]
    epochs: list[dict[str, Any]]
    samples: dict[str, npt.NDArray[Any]]
    fast_path: str | None = None


def measure(trial: Trial, data_dir: Path | None, device: torch.device) -> Measurement:
    """Run a trial on `device` and return all it measured; nothing is written.

    The result depends on the trial alone (on one kind of hardware and one set of versions, to the last
    digit): not on what ran before in this process, beside it, or in which order.
    """
    dataset = load_dataset(trial.dataset, data_dir)
    given = given_labels(trial, dataset.train.labels, dataset.classes)
    with own_randomness(device):
        surrogate = Surrogate.of(trial, dataset, given, device)
        judgement = _ROUTES[trial.detector.name](surrogate)
    return _score(surrogate, judgement)


def given_labels(trial: Trial, clean: Labels, classes: int) -> Labels:
    """Return the labels [N] the trial trains on: the clean ones, corrupted by its own named seed."""
    rng = np.random.default_rng(trial.seed_for("corruption"))
    if trial.corruption.name == "none":
        return clean.copy()
    corrupt = corruption.uniform_exact if trial.corruption["exact"] else corruption.uniform
    return corrupt(clean, classes, trial.corruption["rate"], rng)


def _score(surrogate: Surrogate, judgement: Judgement) -> Measurement:
    clean, given = surrogate.dataset.train.labels, surrogate.given
    wrong, flagged = clean != given, judgement.detection.flagged
    accuracies = judgement.test_accuracies
    result = {
        **detection_metrics(flagged, wrong),
        "realised_rate": float(wrong.mean()),
        "noise_hash": corruption.noise_hash(given),
        "clean_accuracy": float((judgement.predicted == clean).mean()),
        "clean_test_accuracy": float(np.mean(accuracies)) if accuracies else None,
        "guard": guard(flagged, wrong),
        **judgement.extra,
    }
    samples = {
        "index": np.arange(len(given)),
        "given_label": given,
        "true_label": clean,
        "predicted_label": judgement.predicted,
        **judgement.samples,
        "suspicion": judgement.detection.suspicion,
        "flagged": flagged,
    }
    return Measurement(result, surrogate.epochs, samples)
