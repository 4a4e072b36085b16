"""The measurement of a trial: corrupt, train, detect, score."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from noisebench.catalogue.detectors import DETECTORS
from noisebench.data.datasets import load_dataset
from noisebench.detectors.judgement import Judgement
from noisebench.records.checkpoints import Checkpoints
from noisebench.science import corruption
from noisebench.science.metrics import detection_metrics, guard
from noisebench.sweep.calibration import Calibration
from noisebench.sweep.trial import Trial
from noisebench.training.surrogate import Surrogate, isolated_torch


@dataclass(frozen=True)
class Measurement:
    """The output of a trial: columns of `results`, rows of `epochs`, arrays [N] for the scores file."""

    result: dict[str, Any]
    epochs: list[dict[str, Any]]
    samples: dict[str, npt.NDArray[Any]]
    fast_path: str | None = None


def measure(
    trial: Trial,
    data_dir: Path | None,
    device: torch.device,
    checkpoints: Checkpoints | None = None,
    calibration: Calibration | None = None,
) -> Measurement:
    """Run a trial on `device`; write nothing but `checkpoints`.

    `calibration` names the fastest modes of GPUs, for trials with `precision: fast`.

    On the same hardware and versions, the result depends on the trial alone, to the last digit: not on other
    trials, their order, or interruptions.
    """
    dataset = load_dataset(trial.dataset, data_dir)
    with isolated_torch(device):
        surrogate = Surrogate.of(trial, dataset, device, checkpoints or Checkpoints(), data_dir, calibration)
        judgement: Judgement = DETECTORS[trial.detector.name].load()(surrogate)
    return _score(surrogate, judgement)


def _score(surrogate: Surrogate, judgement: Judgement) -> Measurement:
    clean, given = surrogate.dataset.judged.labels, surrogate.given
    wrong, accuracies = clean != given, judgement.test_accuracies
    result = {
        "samples": len(given),
        "wrong_labels": int(wrong.sum()),
        "realised_rate": float(wrong.mean()),
        "transition": json.dumps(
            corruption.transition_counts(clean, given, surrogate.dataset.classes).tolist(),
            separators=(",", ":"),
        ),
        "noise_hash": corruption.noise_hash(given),
        "clean_accuracy": float((judgement.predicted == clean).mean()),
        "clean_test_accuracy": float(np.mean(accuracies)) if accuracies else None,
        **judgement.extra,
    }
    samples = {
        "index": np.arange(len(given)),
        "given_label": given,
        "true_label": clean,
        "predicted_label": judgement.predicted,
        **judgement.samples,
    }
    if judgement.detection is not None:
        flagged = judgement.detection.flagged
        result |= {**detection_metrics(flagged, wrong), "guard": guard(flagged, wrong)}
        samples |= {"suspicion": judgement.detection.suspicion, "flagged": flagged}
    return Measurement(result, surrogate.rows, samples, surrogate.fast_path)
