"""A trial that only returns numbers, to measure the machinery around it."""

import time
from pathlib import Path

import torch

from noisebench.records.checkpoints import Checkpoints
from noisebench.records.evidence import EvidenceFile
from noisebench.sweep.trial import Trial
from noisebench.trial.measurement import Measurement


def execute(
    trial: Trial,
    data_dir: Path | None,
    device: torch.device,
    checkpoints: Checkpoints,
    evidence: EvidenceFile,
) -> Measurement:
    """Return plausible numbers at once; no scores, no epochs."""
    del data_dir, device, checkpoints, evidence
    numbers = ("precision", "recall", "f1", "specificity", "balanced_accuracy", "clean_accuracy")
    return Measurement(dict.fromkeys(numbers, (trial.seed % 97) / 97), [], {})


def one_second(
    trial: Trial,
    data_dir: Path | None,
    device: torch.device,
    checkpoints: Checkpoints,
    evidence: EvidenceFile,
) -> Measurement:
    """Return plausible numbers after a second."""
    time.sleep(1)
    return execute(trial, data_dir, device, checkpoints, evidence)
