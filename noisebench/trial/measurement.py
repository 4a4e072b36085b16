"""The measurement of a trial: corrupt, train, detect, score."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from noisebench.catalogue.detectors import descriptor_of
from noisebench.data.datasets import Dataset, load_dataset
from noisebench.detectors.judgement import Judgement
from noisebench.records.checkpoints import Checkpoints
from noisebench.records.evidence import DamagedEvidenceError, EvidenceFile, KeptEvidence
from noisebench.science import corruption, dynamics
from noisebench.science.evidence import Evidence
from noisebench.science.metrics import detection_metrics, guard, ranking_metrics
from noisebench.sweep.calibration import Calibration
from noisebench.sweep.trial import Trial
from noisebench.training.surrogate import Surrogate, isolated_torch


@dataclass(frozen=True)
class Surroundings:
    """What a results folder has for all its trials.

    `calibration` names the fastest modes of GPUs, for trials with `precision: fast`; `own_data` is the folder
    of users' own data.
    """

    calibration: Calibration = field(default_factory=Calibration)
    own_data: Path | None = None


@dataclass(frozen=True)
class Measurement:
    """The output of a trial: columns of `results`, rows of `epochs`, arrays [N] for the scores file.

    `evidence_attempt` is the attempt whose training was judged, None if the trial trained itself.
    """

    result: dict[str, Any]
    epochs: list[dict[str, Any]]
    samples: dict[str, npt.NDArray[Any]]
    fast_path: str | None = None
    evidence_attempt: str | None = None


def measure(
    trial: Trial,
    data_dir: Path | None,
    device: torch.device,
    checkpoints: Checkpoints | None = None,
    evidence: EvidenceFile | None = None,
    around: Surroundings | None = None,
) -> Measurement:
    """Run a trial on `device`; write nothing but `checkpoints` and `evidence`.

    If `evidence` holds what the detector needs, nothing is trained.

    On the same hardware and versions, the result depends on the trial alone, to the last digit: not on other
    trials, their order, or interruptions, and not on who trained the evidence. The exception is `precision:
    fast`, whose modes are no part of the trial: NOISEBENCH_FAST_PATH chooses them, on a GPU also the
    calibration in `around`, and an attempt without a graph may follow one with it. `fast_path` names them.
    """
    around = around or Surroundings()
    dataset, file = load_dataset(trial.dataset, data_dir, around.own_data), evidence or EvidenceFile()
    detector = descriptor_of(trial.detector)
    detector.check_classes(dataset.classes)
    needs = detector.needs_of(trial.detector)
    with isolated_torch(device):
        kept = _kept(file, needs)
        if kept is None:
            surrogate = Surrogate.of(
                trial, dataset, device, checkpoints or Checkpoints(), data_dir, around.calibration
            )
            gathered = detector.training.load()(surrogate, {**file.sharing.needs, **needs})
            file.write(gathered.arrays(), surrogate.rows, surrogate.fast_path)
            kept = KeptEvidence(gathered.arrays(), surrogate.rows, surrogate.fast_path, "")
        judged = Evidence.of(kept.arrays)
        judgement: Judgement = detector.load()(judged, trial.detector)
    return _score(dataset, judged, judgement, kept)


def only_judges(trial: Trial, file: EvidenceFile) -> bool:
    """Return whether the trial trains nothing: `file` is whole and has the arrays that its detector reads."""
    try:
        kept = file.read()
    except DamagedEvidenceError:
        return False
    needs = descriptor_of(trial.detector).needs_of(trial.detector)
    return kept is not None and not Evidence.of(kept.arrays).lacks(needs)


def _kept(file: EvidenceFile, needs: Mapping[str, int]) -> KeptEvidence | None:
    """Return the evidence of an earlier training if it is whole and has the arrays of `needs`."""
    try:
        kept = file.read()
    except DamagedEvidenceError as error:
        print(f"{error}; the trial trains anew", file=sys.stderr)
        return None
    if kept is None or Evidence.of(kept.arrays).lacks(needs):
        return None
    return kept


def _score(dataset: Dataset, evidence: Evidence, judgement: Judgement, kept: KeptEvidence) -> Measurement:
    clean, given = dataset.judged.labels, evidence.labels
    wrong, accuracies = clean != given, evidence.test_accuracies
    result = {
        "samples": len(given),
        "wrong_labels": int(wrong.sum()),
        "realised_rate": float(wrong.mean()),
        "transition": json.dumps(
            corruption.transition_counts(clean, given, dataset.classes).tolist(), separators=(",", ":")
        ),
        "noise_hash": corruption.noise_hash(given),
        "clean_accuracy": float((evidence.predicted == clean).mean()),
        "clean_test_accuracy": float(np.mean(accuracies)) if len(accuracies) else None,
        **judgement.extra,
        **_separation(judgement.separated, wrong),
    }
    samples = {
        "index": np.arange(len(given)),
        "given_label": given,
        "true_label": clean,
        "predicted_label": evidence.predicted,
        **judgement.samples,
    }
    if judgement.detection is not None:
        flagged, suspicion = judgement.detection.flagged, judgement.detection.suspicion
        ranking = ranking_metrics(suspicion, wrong)
        result |= {**detection_metrics(flagged, wrong), "guard": guard(flagged, wrong)}
        result |= {name: ranking[name] for name in ("auroc", "average_precision")}
        result["knows_rate"] = judgement.knows_rate
        samples |= {"suspicion": suspicion, "flagged": flagged}
    return Measurement(result, kept.rows, samples, kept.fast_path, kept.attempt_id or None)


def _separation(scores: npt.NDArray[np.float64] | None, wrong: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return distances between the scores [N] of right and wrong labels, without those that are NaN."""
    if scores is None:
        return {}
    known = ~np.isnan(scores)
    right, of_wrong = scores[known & ~wrong], scores[known & wrong]
    return {
        "cohens_d": dynamics.cohens_d(right, of_wrong),
        "wasserstein": dynamics.wasserstein(right, of_wrong),
    }
