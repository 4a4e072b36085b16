"""`detect --tune`: planted wrong labels, and what each loss makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from noisebench.catalogue.component import Component
from noisebench.cli.judged import completed_trials, has_probabilities, probabilities_of, scores_of
from noisebench.data.own.kept import OwnData, keep_planted
from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder
from noisebench.science.metrics import ranking_metrics
from noisebench.science.plants import LIKELY, NONE, UNIFORM, mixture_bound, plant, recall
from noisebench.sweep.detect_sweep import BLOCK, TUNE_BLOCK
from noisebench.sweep.sweep import Sweep

# The share of each class that gets a wrong label.
SHARE = 0.05
# A loss whose AUROC on plants is so far below the best one, or below chance by this bound, has failed.
_MAX_LOSS, _LEAST_AUROC = 0.05, 0.6


@dataclass(frozen=True)
class Planting:
    """What one loss makes of the plants.

    `uniform` and `likely`: the shares of plants that it flags. `auroc`: of the suspicion of plants against
    that of all other labels. `bounds`: the shares of labels that are wrong, by either kind of plants.
    """

    uniform: float
    likely: float
    auroc: float
    bounds: tuple[float, float]


def planted_content(sweep: Sweep, results: ResultsFolder, own: OwnData) -> str:
    """Keep the data with plants, drawn from the first completed trial's probabilities; return their content.

    This is CE, unless the user chose other losses. Raises InputError if no trial has completed.
    """
    trials = [trial for trial in completed_trials(sweep, results, BLOCK) if has_probabilities(trial)]
    if not trials:
        raise InputError(f"--tune: no trial of '{sweep.name}' has completed")
    probabilities = probabilities_of(trials[0], sweep.name, results)
    rng = np.random.default_rng(int(own.content, 16))
    planted = plant(own.source.labels, probabilities, SHARE, rng)
    if not (planted.kinds != NONE).any():
        raise InputError("--tune: no class is large enough for planted errors; leave --tune out")
    return keep_planted(own, planted.labels, planted.kinds)


def plantings(sweep: Sweep, results: ResultsFolder) -> dict[Component, Planting]:
    """Return what each loss made of the plants, by the completed trials of the block `tune`."""
    found = {}
    for trial in completed_trials(sweep, results, TUNE_BLOCK):
        scores = scores_of(trial, results)
        kinds = np.load(results.own_data / trial.dataset["content"] / "kinds.npy")
        suspicion, flagged = scores["suspicion"], scores["flagged"]
        found[trial.loss] = Planting(
            uniform=recall(kinds, flagged, UNIFORM),
            likely=recall(kinds, flagged, LIKELY),
            auroc=ranking_metrics(suspicion, kinds != NONE)["auroc"],
            bounds=(mixture_bound(suspicion, kinds, UNIFORM), mixture_bound(suspicion, kinds, LIKELY)),
        )
    return found


def failed(found: Mapping[Component, Planting]) -> set[Component]:
    """Return the losses that do not rank the plants above other labels, or much worse than the best loss."""
    best = max((each.auroc for each in found.values()), default=0.0)
    return {loss for loss, each in found.items() if each.auroc < max(_LEAST_AUROC, best - _MAX_LOSS)}
