"""What the completed trials of a sweep over own data left: scores and out-of-fold probabilities."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from noisebench.errors import DataError
from noisebench.records.evidence import DamagedEvidenceError, EvidenceFile
from noisebench.records.folders import ResultsFolder
from noisebench.records.scores import score_files
from noisebench.sweep.detect_sweep import judges_probabilities
from noisebench.sweep.sweep import Sweep
from noisebench.sweep.trial import Trial

Scores = dict[str, npt.NDArray[Any]]


def completed_trials(sweep: Sweep, results: ResultsFolder, block: str) -> list[Trial]:
    """Return the trials of a block that have scores, in the sweep's order."""
    trials = [trial for each in sweep.blocks if each.name == block for trial in each.trials]
    return [trial for trial in trials if score_files(results, trial.trial_id)]


def scores_of(trial: Trial, results: ResultsFolder) -> Scores:
    """Return the columns of a trial's scores file, one value for each sample."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(score_files(results, trial.trial_id)[0])
    return {name: table[name].to_numpy() for name in table.column_names}


def has_probabilities(trial: Trial) -> bool:
    """Whether a trial's detector judges by out-of-fold probabilities."""
    return judges_probabilities(trial.detector)


def probabilities_of(trial: Trial, sweep: str, results: ResultsFolder) -> npt.NDArray[Any]:
    """Return the out-of-fold probabilities [N, K] of a trial.

    Raises DataError if the evidence of the training is missing or damaged.
    """
    path = results.evidence(trial.evidence_id)
    fix = f"`noisebench resume {sweep} --trial {trial.trial_id}` trains it again"
    try:
        kept = EvidenceFile(path).read()
    except DamagedEvidenceError as error:
        raise DataError(f"{error}; {fix}") from None
    if kept is None:
        raise DataError(f"{path}: missing, so nothing can be suggested; {fix}")
    return kept.arrays["probabilities"]
