"""`detect --tune`: planted wrong labels, and what each loss, detector and flag rule makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from noisebench.catalogue.component import Component
from noisebench.cli.judged import completed_trials, has_probabilities, probabilities_of, scores_of
from noisebench.data.own.kept import OwnData, keep_planted
from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder
from noisebench.review.candidates import Rule
from noisebench.science.metrics import ranking_metrics
from noisebench.science.plants import LIKELY, NONE, UNIFORM, Plants, mixture_bound, plant, recall
from noisebench.sweep.components import describe
from noisebench.sweep.detect_sweep import BLOCK, TUNE_BLOCK
from noisebench.sweep.sweep import Sweep
from noisebench.sweep.trial import Trial

# The share of each class that gets a wrong label.
SHARE = 0.05
# A loss whose AUROC on plants is so far below the best one, or below chance by this bound, has failed.
_MAX_LOSS, _LEAST_AUROC = 0.05, 0.6


@dataclass(frozen=True)
class Planting:
    """What one loss makes of the plants, by the first detector; means over the plantings.

    `uniform` and `likely`: the shares of plants that it flags. `auroc`: of the suspicion of plants against
    that of all other labels. `bounds`: the shares of labels that are wrong, by either kind of plants.
    `plants`: the suspicion of all samples, one entry for each planting.
    """

    uniform: float
    likely: float
    auroc: float
    bounds: tuple[float, float]
    plants: tuple[Plants, ...]


def planted_contents(sweep: Sweep, results: ResultsFolder, own: OwnData, plantings: int) -> tuple[str, ...]:
    """Keep `plantings` copies of the data, each with other plants; return their contents.

    Labels are drawn from the first completed trial, of CE unless the user chose other losses.
    Raises InputError if no trial has completed.
    """
    trials = [trial for trial in completed_trials(sweep, results, BLOCK) if has_probabilities(trial)]
    if not trials:
        raise InputError(f"--tune: no trial of '{sweep.name}' has completed")
    probabilities = probabilities_of(trials[0], sweep.name, results)
    contents = []
    for number in range(plantings):
        rng = np.random.default_rng([int(own.content, 16), number])
        planted = plant(own.source.labels, probabilities, SHARE, rng)
        if not (planted.kinds != NONE).any():
            raise InputError("--tune: no class is large enough for planted errors; leave --tune out")
        contents.append(keep_planted(own, planted.labels, planted.kinds))
    return tuple(contents)


def plantings(sweep: Sweep, results: ResultsFolder) -> dict[Component, Planting]:
    """Return what each loss made of the plants, by the completed trials of the first detector."""
    trials = _trials(sweep, results)
    leading = [trial for trial in trials if trial.detector == trials[0].detector]
    by_loss: dict[Component, list[Plants]] = {}
    for trial in leading:
        by_loss.setdefault(trial.loss, []).append(_plants(trial, results))
    return {loss: _planting(each) for loss, each in by_loss.items()}


def rules(sweep: Sweep, results: ResultsFolder, losses: Iterable[Component]) -> tuple[Rule, ...]:
    """Return what each detector with its flag rule made of the plants under these losses, as means."""
    wanted = set(losses)
    found: dict[Component, list[Plants]] = {}
    for trial in _trials(sweep, results):
        if trial.loss in wanted:
            found.setdefault(trial.detector, []).append(_plants(trial, results))
    return tuple(_rule(describe(detector), plants) for detector, plants in found.items())


def failed(found: Mapping[Component, Planting]) -> set[Component]:
    """Return the losses that do not rank the plants above other labels, or much worse than the best loss."""
    best = max((each.auroc for each in found.values()), default=0.0)
    return {loss for loss, each in found.items() if each.auroc < max(_LEAST_AUROC, best - _MAX_LOSS)}


def _trials(sweep: Sweep, results: ResultsFolder) -> list[Trial]:
    blocks = [block.name for block in sweep.blocks if block.name.startswith(TUNE_BLOCK)]
    return [trial for block in blocks for trial in completed_trials(sweep, results, block)]


def _plants(trial: Trial, results: ResultsFolder) -> Plants:
    scores = scores_of(trial, results)
    kinds = np.load(results.own_data / trial.dataset["content"] / "kinds.npy")
    return Plants(scores["suspicion"], scores["flagged"], kinds)


def _planting(plants: Sequence[Plants]) -> Planting:
    uniform, likely, auroc, low, high = np.mean(
        [
            (
                recall(each.kinds, each.flagged, UNIFORM),
                recall(each.kinds, each.flagged, LIKELY),
                ranking_metrics(each.suspicion, each.kinds != NONE)["auroc"],
                mixture_bound(each.suspicion, each.kinds, UNIFORM),
                mixture_bound(each.suspicion, each.kinds, LIKELY),
            )
            for each in plants
        ],
        axis=0,
    ).tolist()
    return Planting(uniform, likely, auroc, (low, high), tuple(plants))


def _rule(detector: str, plants: Sequence[Plants]) -> Rule:
    uniform, likely, others, auroc = np.mean(
        [
            (
                recall(each.kinds, each.flagged, UNIFORM),
                recall(each.kinds, each.flagged, LIKELY),
                recall(each.kinds, each.flagged, NONE),
                ranking_metrics(each.suspicion, each.kinds != NONE)["auroc"],
            )
            for each in plants
        ],
        axis=0,
    ).tolist()
    return Rule(detector, uniform, likely, others, auroc)
