"""From the scores of a sweep over own data to the files of suspects."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noisebench.catalogue.component import Component
from noisebench.catalogue.detectors import descriptor_of
from noisebench.data.own.cache import OwnData
from noisebench.data.own.source import named
from noisebench.errors import DataError, InputError
from noisebench.records.evidence import DamagedEvidenceError, EvidenceFile
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.scores import score_files
from noisebench.review.candidates import Candidate, as_report, chosen
from noisebench.review.outputs import write_suspects
from noisebench.review.samples import Samples, TrialScores, conflicts, first_of_each
from noisebench.review.summary import Run, Summary
from noisebench.review.suspects import rank
from noisebench.sweep.components import describe
from noisebench.sweep.detect_sweep import FOLDS
from noisebench.sweep.sweep import Sweep
from noisebench.sweep.trial import Trial

Scores = dict[str, npt.NDArray[Any]]

# Standard errors by which the accuracy must exceed that of always naming the largest class.
_LEARNED_SIGMAS = 3


@dataclass(frozen=True)
class Found:
    """What `detect` prints: the counts, the losses that were compared, and notes for the user."""

    summary: Summary
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...]


def written_suspects(sweep: Sweep, results: ResultsFolder, own: OwnData, data: str) -> Found:
    """Write the files of suspects from the completed trials of the loss with the highest accuracy.

    Raises InputError if no trial has completed.
    """
    completed = [trial for trial in sweep.trials() if score_files(results, trial.trial_id)]
    if not completed:
        raise InputError(
            f"no trial of '{sweep.name}' has completed: `noisebench failures {sweep.name}` says why"
        )
    samples, folder = _samples(own), results.sweep(sweep.name)
    small = _small_classes(samples)
    candidates = _candidates(completed, results)
    best = chosen(list(candidates.values()))
    trials = [trial for trial in completed if candidates.get(trial.loss) == best]
    suspects = rank(samples, _trial_scores(trials, folder, small[samples.labels]))
    notes = (*own.source.notes, *_notes(samples, small, trials, results))
    run = Run(
        name=sweep.name,
        data=data,
        data_hash=own.content,
        configuration=_configuration(trials[0]),
        notes=notes,
        tuning=as_report(list(candidates.values())) if len(candidates) > 1 else None,
    )
    summary = write_suspects(folder.suspects, samples, suspects, run)
    return Found(summary, tuple(candidates.values()), notes)


def _candidates(trials: Sequence[Trial], results: ResultsFolder) -> dict[Component, Candidate]:
    """Return the losses in the sweep's order, with the mean over their trials that predict out of fold."""
    scores: dict[Component, list[tuple[float, float]]] = {}
    for trial in trials:
        if _has_probabilities(trial):
            of_trial = _read(trial, results)
            accuracy = float((of_trial["predicted_label"] == of_trial["given_label"]).mean())
            scores.setdefault(trial.loss, []).append((accuracy, float(of_trial["flagged"].sum())))
    if not scores:
        raise InputError(
            "no trial with out-of-fold probabilities has completed; `noisebench failures` says why"
        )
    means = {loss: np.mean(values, axis=0) for loss, values in scores.items()}
    return {
        loss: Candidate(describe(loss), float(accuracy), round(float(flagged)))
        for loss, (accuracy, flagged) in means.items()
    }


def _samples(own: OwnData) -> Samples:
    source, values = own.source, own.values()
    small = np.bincount(source.labels) < FOLDS
    note = f"its class has fewer than {FOLDS} samples: not judged"

    def picture(row: int) -> Path | npt.NDArray[np.uint8]:
        return source.paths[row] if source.paths is not None else np.asarray(values[row])

    return Samples(
        ids=source.ids,
        paths=tuple(map(str, source.paths)) if source.paths is not None else ("",) * len(source.ids),
        sha256=own.sha256,
        labels=source.labels,
        classes=source.classes,
        duplicate_of=first_of_each(own.digests),
        notes=tuple(note if small[label] else "" for label in source.labels) if small.any() else (),
        picture=None if source.has_features else picture,
    )


def _small_classes(samples: Samples) -> npt.NDArray[np.bool_]:
    """Return which classes [K] are too small to be judged: some model was not trained on them."""
    return np.bincount(samples.labels, minlength=len(samples.classes)) < FOLDS


def _trial_scores(
    trials: list[Trial], folder: SweepFolder, unjudged: npt.NDArray[np.bool_]
) -> Iterator[TrialScores]:
    """Yield the scores of each trial; samples in `unjudged` [N] get none."""
    name, results = folder.name, folder.results
    seen: set[str] = set()
    for trial in trials:
        scores = _read(trial, results)
        yield TrialScores(
            detector=trial.detector.name,
            seed=trial.seed,
            suspicion=np.where(unjudged, np.nan, scores["suspicion"]),
            flagged=scores["flagged"] & ~unjudged,
            probabilities=None if trial.evidence_id in seen else _probabilities(trial, name, results),
        )
        seen.add(trial.evidence_id)


def _probabilities(trial: Trial, sweep: str, results: ResultsFolder) -> npt.NDArray[np.float32] | None:
    """Return the out-of-fold probabilities [N, K] of a trial; None for a detector that has none.

    Raises DataError if the evidence of the training is missing or damaged.
    """
    if not _has_probabilities(trial):
        return None
    path = results.evidence(trial.evidence_id)
    fix = f"`noisebench resume {sweep} --trial {trial.trial_id}` trains it again"
    try:
        kept = EvidenceFile(path).read()
    except DamagedEvidenceError as error:
        raise DataError(f"{error}; {fix}") from None
    if kept is None:
        raise DataError(f"{path}: missing, so nothing can be suggested; {fix}")
    return kept.arrays["probabilities"]


def _has_probabilities(trial: Trial) -> bool:
    return "probabilities" in descriptor_of(trial.detector).needs_of(trial.detector)


def _read(trial: Trial, results: ResultsFolder) -> Scores:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(score_files(results, trial.trial_id)[0])
    return {name: table[name].to_numpy() for name in table.column_names}


def _notes(
    samples: Samples, small: npt.NDArray[np.bool_], trials: list[Trial], results: ResultsFolder
) -> tuple[str, ...]:
    notes = []
    names = [samples.classes[label] for label in np.flatnonzero(small)]
    if names:
        noun = "class" if len(names) == 1 else "classes"
        listed = named(names, "class").split(" (", 1)[1].rstrip(")")
        notes.append(f"{noun} with fewer than {FOLDS} samples, trained on but not judged: {listed}")
    conflicting = int(conflicts(samples).sum())
    if conflicting:
        notes.append(f"{conflicting} samples have equal content and different labels: at least one is wrong")
    notes += [note for trial in trials if (note := _not_learned(trial, _read(trial, results))) is not None]
    return tuple(notes)


def _not_learned(trial: Trial, scores: Scores) -> str | None:
    """Return a warning if the model predicts the given labels no better than the largest class does."""
    given, predicted = scores["given_label"], scores["predicted_label"]
    largest, accuracy = np.bincount(given).max() / len(given), float((given == predicted).mean())
    error = math.sqrt(largest * (1 - largest) / len(given))
    if accuracy > largest + _LEARNED_SIGMAS * error:
        return None
    return (
        f"the model does not learn: {describe(trial.loss)} predicts {accuracy:.1%} of the labels, and the "
        f"largest class has {largest:.1%} of them; do not use these suspects. Try more epochs (--set "
        f"training.epochs={2 * trial.training.epochs}), another --model, or features of a pretrained model"
    )


def _configuration(trial: Trial) -> dict[str, Any]:
    training = {name: value for name, value in trial.training.as_fields().items() if name != "schedule"}
    return {"loss": describe(trial.loss), "detector": describe(trial.detector), **training}
