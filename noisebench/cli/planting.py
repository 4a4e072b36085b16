"""`detect --tune`: planted wrong labels, and what each loss, detector and flag rule makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from noisebench.catalogue.component import Component
from noisebench.cli.judged import completed_trials, has_probabilities, probabilities_of, scores_of
from noisebench.data.own.files import opened, own_root
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


class Shares(NamedTuple):
    """The shares, 0 to 1, that a detector flags of uniform plants, of likely plants and of all other labels;
    the AUROC of its suspicion of plants.
    """

    uniform: float
    likely: float
    others: float
    auroc: float


@dataclass(frozen=True)
class JudgedPlants:
    """What one detector made of one planting under a loss; `plants` of the first detector, else None."""

    loss: Component
    detector: Component
    shares: Shares
    plants: Plants | None


def planted_contents(sweep: Sweep, results: ResultsFolder, kept: OwnData, plantings: int) -> tuple[str, ...]:
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
        rng = np.random.default_rng([int(kept.content, 16), number])
        planted = plant(kept.source.labels, probabilities, SHARE, rng)
        if not (planted.kinds != NONE).any():
            raise InputError("--tune: no class is large enough for planted errors; leave --tune out")
        contents.append(keep_planted(kept, planted.labels, planted.kinds))
    return tuple(contents)


def judged_plants(sweep: Sweep, results: ResultsFolder) -> tuple[JudgedPlants, ...]:
    """Return what each completed trial with plants made of them; each file of scores is read once."""
    blocks = [block.name for block in sweep.blocks if block.name.startswith(TUNE_BLOCK)]
    trials = [trial for block in blocks for trial in completed_trials(sweep, results, block)]
    # Of the first detector alone the scores of all samples are needed, and held.
    return tuple(_judged(trial, results, trial.detector == trials[0].detector) for trial in trials)


def plantings(judged: Iterable[JudgedPlants]) -> dict[Component, Planting]:
    """Return what each loss made of the plants, by the first detector."""
    by_loss: dict[Component, list[JudgedPlants]] = {}
    for each in judged:
        if each.plants is not None:
            by_loss.setdefault(each.loss, []).append(each)
    return {loss: _planting(of_loss) for loss, of_loss in by_loss.items()}


def rules(judged: Iterable[JudgedPlants], losses: Iterable[Component]) -> tuple[Rule, ...]:
    """Return what each detector with its flag rule made of the plants under these losses, as means."""
    wanted = set(losses)
    by_detector: dict[Component, list[Shares]] = {}
    for each in judged:
        if each.loss in wanted:
            by_detector.setdefault(each.detector, []).append(each.shares)
    return tuple(Rule(describe(detector), *_means(shares)) for detector, shares in by_detector.items())


def failed(planted: Mapping[Component, Planting]) -> set[Component]:
    """Return the losses that do not rank the plants above other labels, or much worse than the best loss."""
    best = max((each.auroc for each in planted.values()), default=0.0)
    return {loss for loss, each in planted.items() if each.auroc < max(_LEAST_AUROC, best - _MAX_LOSS)}


def _judged(trial: Trial, results: ResultsFolder, leads: bool) -> JudgedPlants:
    scores = scores_of(trial, results)
    with opened(own_root(results.own_data) / trial.dataset["content"], "kinds.npy") as file:
        kinds = np.load(file)
    plants = Plants(scores["suspicion"], scores["flagged"], kinds)
    shares = Shares(
        uniform=recall(kinds, plants.flagged, UNIFORM),
        likely=recall(kinds, plants.flagged, LIKELY),
        others=recall(kinds, plants.flagged, NONE),
        auroc=ranking_metrics(plants.suspicion, kinds != NONE)["auroc"],
    )
    return JudgedPlants(trial.loss, trial.detector, shares, plants if leads else None)


def _planting(judged: Sequence[JudgedPlants]) -> Planting:
    shares = _means([each.shares for each in judged])
    plants = tuple(each.plants for each in judged if each.plants is not None)
    bounds = [
        [mixture_bound(each.suspicion, each.kinds, kind) for kind in (UNIFORM, LIKELY)] for each in plants
    ]
    low, high = np.mean(bounds, axis=0).tolist()
    return Planting(shares.uniform, shares.likely, shares.auroc, (low, high), plants)


def _means(shares: Sequence[Shares]) -> Shares:
    return Shares(*np.mean(shares, axis=0).tolist())
