"""From the scores of a sweep over own data to the files of suspects."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noisebench.catalogue.component import Component
from noisebench.catalogue.detectors import descriptor_of
from noisebench.cli.judged import completed_trials, has_probabilities, probabilities_of, scores_of
from noisebench.cli.learning import not_learned
from noisebench.cli.planting import Planting, failed, judged_plants, plantings, rules
from noisebench.data.own.kept import OwnData
from noisebench.data.own.source import named
from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.review.candidates import Candidate, Rule, as_report, best_of, chosen
from noisebench.review.outputs import write_suspects
from noisebench.review.samples import Samples, TrialScores, conflicts, first_of_each
from noisebench.review.summary import Run, Summary
from noisebench.review.suspects import Judge, Suspects, rank
from noisebench.science.detection import Detection
from noisebench.science.evidence import Evidence
from noisebench.science.plants import precision_range
from noisebench.sweep.components import describe
from noisebench.sweep.detect_sweep import BLOCK, FOLDS
from noisebench.sweep.sweep import Sweep
from noisebench.sweep.trial import Trial


@dataclass(frozen=True)
class DetectReport:
    """What `detect` prints: the counts, the losses that were compared, and notes for the user.

    `leading`: the detector that ranks.
    """

    summary: Summary
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...]
    bracket: tuple[int, int] | None = None
    rules: tuple[Rule, ...] = ()
    leading: str = ""


def written_suspects(sweep: Sweep, results: ResultsFolder, kept: OwnData, data: str) -> DetectReport:
    """Write the files of suspects from the completed trials of the losses that are chosen.

    Raises InputError if no trial has completed.
    """
    completed = completed_trials(sweep, results, BLOCK)
    if not completed:
        raise InputError(
            f"no trial of '{sweep.name}' has completed: `noisebench failures {sweep.name}` says why"
        )
    samples, folder = _samples(kept), results.sweep(sweep.name)
    small = _small_classes(samples)
    judged = judged_plants(sweep, results)
    planted = plantings(judged)
    candidates = _candidates(completed, results, planted)
    used, best = chosen(list(candidates.values())), best_of(list(candidates.values()))
    trials = [trial for trial in completed if candidates.get(trial.loss) in used]
    of_best = [trial for trial in trials if candidates[trial.loss] == best]
    bracket = _bracket(planted.get(of_best[0].loss), len(samples.ids))
    unjudged = small[samples.labels]
    suspects = rank(samples, _trial_scores(trials, folder, unjudged), _judge(trials, samples, unjudged))
    compared, leading = rules(judged, {trial.loss for trial in trials}), trials[0].detector
    notes = (*kept.source.notes, *_notes(samples, small, of_best, results))
    if leading in {each.detector for each in judged if each.plants is not None}:
        suspects = _with_precision(suspects, planted.get(of_best[0].loss))
    elif planted:
        notes = (*notes, _no_precision(leading))
    run = Run(
        name=sweep.name,
        data=data,
        data_hash=kept.content,
        configuration=_configuration(trials),
        notes=notes,
        tuning=as_report(list(candidates.values()), compared) if len(candidates) > 1 or planted else None,
        bracket=bracket,
    )
    summary = write_suspects(folder.suspects, samples, suspects, run)
    if summary.decisions_left_out:
        notes = (*notes, _decisions_left_out(summary.decisions_left_out))
    return DetectReport(summary, tuple(candidates.values()), notes, bracket, compared, describe(leading))


def _decisions_left_out(count: int) -> str:
    return (
        f"{count:,} decisions of earlier reviews do not fit, because the samples or labels have changed; "
        "they stay in decisions.csv, and correct no label"
    )


def _with_precision(suspects: Suspects, planting: Planting | None) -> Suspects:
    if planting is None:
        return suspects
    by_rank = suspects.suspicion[suspects.order]
    return replace(suspects, precision=precision_range(by_rank, planting.plants, planting.bounds))


def _no_precision(detector: Component) -> str:
    return (
        f"precision_low and precision_high are empty: {describe(detector)} did not judge planted errors; "
        "put a detector that judges by probabilities first"
    )


def _bracket(planting: Planting | None, samples: int) -> tuple[int, int] | None:
    """Return the lower and the higher number of wrong labels by the two kinds of plants."""
    if planting is None:
        return None
    low, high = sorted(round(bound * samples) for bound in planting.bounds)
    return low, high


def _candidates(
    trials: Sequence[Trial], results: ResultsFolder, planted: Mapping[Component, Planting]
) -> dict[Component, Candidate]:
    """Return the losses in the sweep's order: the mean accuracy of their trials that predict out of fold, and
    what their first detector flags.
    """
    accuracies: dict[Component, list[float]] = {}
    flags: dict[Component, list[int]] = {}
    first = {trial.loss: trial.detector for trial in reversed(trials)}
    for trial in trials:
        scores = scores_of(trial, results)
        if has_probabilities(trial):
            accuracy = float((scores["predicted_label"] == scores["given_label"]).mean())
            accuracies.setdefault(trial.loss, []).append(accuracy)
        if trial.detector == first[trial.loss]:
            flags.setdefault(trial.loss, []).append(int(scores["flagged"].sum()))
    if not accuracies:
        raise InputError(
            "no trial with out-of-fold probabilities has completed; `noisebench failures` says why"
        )
    without_rank = failed(planted)
    candidates = {}
    for loss, values in accuracies.items():
        accuracy = float(np.mean(values))
        error = math.sqrt(accuracy * (1 - accuracy) / trials[0].dataset["samples"])
        candidate = Candidate(describe(loss), accuracy, round(np.mean(flags[loss])), error)
        if loss in planted:
            of_loss, has_failed = planted[loss], loss in without_rank
            candidate = replace(
                candidate,
                uniform=of_loss.uniform,
                likely=of_loss.likely,
                auroc=of_loss.auroc,
                failed=has_failed,
            )
        candidates[loss] = candidate
    return candidates


def _samples(kept: OwnData) -> Samples:
    source, values = kept.source, kept.values()
    small = np.bincount(source.labels) < FOLDS
    note = f"its class has fewer than {FOLDS} samples: not judged"

    def picture(row: int) -> Path | npt.NDArray[np.uint8]:
        return source.paths[row] if source.paths is not None else np.asarray(values[row])

    return Samples(
        ids=source.ids,
        paths=tuple(map(str, source.paths)) if source.paths is not None else ("",) * len(source.ids),
        sha256=kept.sha256,
        labels=source.labels,
        classes=source.classes,
        duplicate_of=first_of_each(kept.digests),
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
    names, seen = _detector_names(trials), set[str]()
    for trial in trials:
        scores = scores_of(trial, results)
        brings = has_probabilities(trial) and trial.evidence_id not in seen
        yield TrialScores(
            detector=names[trial.detector],
            seed=trial.seed,
            suspicion=np.where(unjudged, np.nan, scores["suspicion"]),
            flagged=scores["flagged"] & ~unjudged,
            probabilities=probabilities_of(trial, name, results) if brings else None,
        )
        seen.add(trial.evidence_id)


def _detector_names(trials: Iterable[Trial]) -> dict[Component, str]:
    """Return how files call the detectors; those of one name by their parameters, too."""
    detectors = {trial.detector: describe(trial.detector) for trial in trials}
    used = Counter(detector.name for detector in detectors)
    return {each: text if used[each.name] > 1 else each.name for each, text in detectors.items()}


def _judge(trials: Sequence[Trial], samples: Samples, unjudged: npt.NDArray[np.bool_]) -> Judge:
    """Return what judges mean probabilities: the detectors that need nothing else."""
    detectors = {
        name: each
        for each, name in _detector_names(trials).items()
        if descriptor_of(each).needs_of(each).keys() == {"probabilities"}
    }

    def judge(probabilities: npt.NDArray[np.floating]) -> dict[str, Detection]:
        evidence = Evidence(
            labels=samples.labels,
            classes=len(samples.classes),
            predicted=probabilities.argmax(axis=1),
            test_accuracies=np.empty(0),
            probabilities=probabilities.astype(np.float32),
        )
        detections = {}
        for name, detector in detectors.items():
            detection: Detection = descriptor_of(detector).load()(evidence, detector).detection
            suspicion = np.where(unjudged, np.nan, detection.suspicion)
            detections[name] = Detection(detection.flagged & ~unjudged, suspicion)
        return detections

    return judge


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
    notes += [
        f"{note}; do not use these suspects"
        for trial in trials
        if (note := not_learned(trial, scores_of(trial, results))) is not None
    ]
    return tuple(notes)


def _configuration(trials: Sequence[Trial]) -> dict[str, Any]:
    first = trials[0]
    training = {name: value for name, value in first.training.as_fields().items() if name != "schedule"}
    losses = ", ".join(dict.fromkeys(describe(trial.loss) for trial in trials))
    return {"loss": losses, "detector": describe(first.detector), **training}
