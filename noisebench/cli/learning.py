"""Whether the models of `noisebench detect` learn anything, said as early as it can be known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from noisebench.cli.judged import Scores, completed_trials, has_probabilities, scores_of
from noisebench.records.folders import ResultsFolder
from noisebench.sweep.components import describe
from noisebench.sweep.detect_sweep import BLOCK
from noisebench.sweep.sweep import Sweep
from noisebench.sweep.trial import Trial

# Standard errors by which the accuracy must exceed that of always naming the largest class.
_LEARNED_SIGMAS = 3


def not_learned(trial: Trial, scores: Scores) -> str | None:
    """Return a warning if the model predicts the given labels no better than the largest class does."""
    given, predicted = scores["given_label"], scores["predicted_label"]
    largest, accuracy = np.bincount(given).max() / len(given), float((given == predicted).mean())
    error = math.sqrt(largest * (1 - largest) / len(given))
    if accuracy > largest + _LEARNED_SIGMAS * error:
        return None
    return (
        f"the model does not learn: {describe(trial.loss)} predicts {accuracy:.1%} of the labels, and the "
        f"largest class has {largest:.1%} of them. Try more epochs (--set "
        f"training.epochs={2 * trial.training.epochs}), another --model, or features of a pretrained model"
    )


class EarlyWarning:
    """Says once, after the first trial of a sweep with several, that its model does not learn."""

    def __init__(self, sweep: Sweep, results: ResultsFolder, say: Callable[[str], None]) -> None:
        self._sweep, self._results, self._say = sweep, results, say
        self._trials = sum(len(block.trials) for block in sweep.blocks)
        self._looks = self._first() is None

    def look(self) -> None:
        """Look whether the first trial has ended."""
        first = self._first() if self._looks else None
        if first is None:
            return
        self._looks = False
        note = not_learned(first, scores_of(first, self._results))
        if note is not None and self._trials > 1:
            self._say(f"warning: after the first of {self._trials} trials, {note}")

    def _first(self) -> Trial | None:
        trials = completed_trials(self._sweep, self._results, BLOCK)
        return next((trial for trial in trials if has_probabilities(trial)), None)
