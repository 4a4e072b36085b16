"""Whether the models of `noisebench detect` learn anything, said as early as it can be known."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from noisebench.cli.judged import Scores, completed_trials, has_probabilities, scores_of
from noisebench.errors import InputError
from noisebench.records.first_fold import Counts, first_fold
from noisebench.records.folders import ResultsFolder
from noisebench.records.manifest import kept_spec, kept_sweep
from noisebench.sweep.components import describe
from noisebench.sweep.detect_sweep import BLOCK, data_of
from noisebench.sweep.sweep import Sweep
from noisebench.sweep.trial import Trial

if TYPE_CHECKING:
    from noisebench.store.store import Store

# Standard errors by which the accuracy must exceed that of always naming the largest class. One fold has few
# samples, and a wrong alarm would stop a good training; the whole trial is judged after it.
_LEARNED_SIGMAS, _SIGMAS_OF_A_FOLD = 3, 1
# How often the files of running trials are looked for.
LOOK_SECONDS = 5.0


def not_learned(trial: Trial, scores: Scores) -> str | None:
    """Return a warning if the model predicts the given labels no better than the largest class does."""
    return _warning(trial, _counts(scores), _LEARNED_SIGMAS)


def _warning(trial: Trial, counts: Counts, sigmas: float) -> str | None:
    largest, accuracy = counts.largest / counts.samples, counts.right / counts.samples
    if accuracy > largest + sigmas * math.sqrt(largest * (1 - largest) / counts.samples):
        return None
    return (
        f"the model does not learn: {describe(trial.loss)} predicts {accuracy:.1%} of the labels, and the "
        f"largest class has {largest:.1%} of them. Try more epochs (--set "
        f"training.epochs={2 * trial.training.epochs}), another --model, or features of a pretrained model"
    )


def _counts(scores: Scores) -> Counts:
    given, predicted = scores["given_label"], scores["predicted_label"]
    return Counts(len(given), int((given == predicted).sum()), int(np.bincount(given).max()))


class EarlyWarning:
    """Says once that the model does not learn: after the first fold of a trial, else after the first trial.

    `look` can be called by several threads.
    """

    def __init__(self, sweep: Sweep, results: ResultsFolder, say: Callable[[str], None]) -> None:
        self._sweep, self._results, self._say = sweep, results, say
        self._lock = threading.Lock()
        self._over = self._first_trial() is not None

    def look(self) -> None:
        """Look whether a fold or the first trial has ended."""
        with self._lock:
            if self._over:
                return
            first = self._first_trial()
            if first is None:
                note = _of_a_fold(_trials(self._sweep), self._results)
            else:
                note = _of_a_trial(self._sweep, first, _counts(scores_of(first, self._results)))
            self._over = first is not None or note is not None
        if note is not None:
            self._say(f"warning: {note}")

    def _first_trial(self) -> Trial | None:
        trials = completed_trials(self._sweep, self._results, BLOCK)
        return next((trial for trial in trials if has_probabilities(trial)), None)


def note_of_sweep(store: Store, name: str) -> str | None:
    """Return the early warning of a kept sweep, by its records and checkpoints; None if there is none.

    None also if `noisebench detect` did not write the sweep, or if it cannot be read.
    """
    folder = store.results.sweep(name)
    try:
        if data_of(kept_spec(folder)) is None:
            return None
        sweep = kept_sweep(folder)
    except (OSError, InputError):
        return None
    trials = _trials(sweep)
    rows = store.rows("states/counted_labels", {"trial_ids": [trial.trial_id for trial in trials]})
    by_trial = {row["trial_id"]: row for row in rows}
    for trial in trials:
        row = by_trial.get(trial.trial_id)
        if row is not None:
            return _of_a_trial(sweep, trial, _counts_of_record(row["transition"], row["clean_accuracy"]))
    return _of_a_fold(trials, store.results)


def _counts_of_record(transition: str, accuracy: float) -> Counts:
    """Return the counts of a record; `transition` counts labels by given class, which is the clean one."""
    classes = np.array(json.loads(transition), dtype=np.int64).sum(axis=1)
    return Counts(int(classes.sum()), round(accuracy * classes.sum()), int(classes.max()))


def _trials(sweep: Sweep) -> list[Trial]:
    """Return the trials that predict labels out of fold, without planted errors."""
    blocks = [block for block in sweep.blocks if block.name == BLOCK]
    return [trial for block in blocks for trial in block.trials if has_probabilities(trial)]


def _of_a_trial(sweep: Sweep, trial: Trial, counts: Counts) -> str | None:
    count = sum(len(block.trials) for block in sweep.blocks)
    note = _warning(trial, counts, _LEARNED_SIGMAS)
    # The only trial is judged at once by the command itself.
    return None if note is None or count == 1 else f"after the first of {count} trials, {note}"


def _of_a_fold(trials: Sequence[Trial], results: ResultsFolder) -> str | None:
    for trial in trials:
        counts = first_fold(results.checkpoint(trial.trial_id))
        if counts is not None:
            note = _warning(trial, counts, _SIGMAS_OF_A_FOLD)
            return None if note is None else f"after the first fold, {note}"
    return None
