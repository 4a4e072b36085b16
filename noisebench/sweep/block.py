"""One named grid of a sweep: its alternatives multiplied out into trials."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

from noisebench.catalogue import entries as catalogue
from noisebench.catalogue.component import Component
from noisebench.catalogue.parameters import integer
from noisebench.sweep.components import (
    Found,
    Vocabulary,
    read_union,
    read_values,
    show,
    unknown,
)
from noisebench.sweep.configuration import Overrides, configure
from noisebench.sweep.nodes import REPORTED, Node, Problems
from noisebench.sweep.trial import Trial


@dataclass(frozen=True)
class Block:
    """A block with its trials in the order of its grid, the seeds of one configuration together."""

    name: str
    trials: tuple[Trial, ...]
    seeds_asked: int


_REQUIRED = ("dataset", "corruption", "loss", "seeds")
_KEYS = ("dataset", "corruption", "detector", "loss", "training", "dynamics", "seeds")

_DATASET = Vocabulary(
    "data set",
    {name: entry.parameters for name, entry in catalogue.DATASETS.items()},
    references=True,
    shorthands={"folder": catalogue.FOLDER},
)
_CORRUPTION = Vocabulary("corruption", catalogue.CORRUPTIONS, key="kind")
_DETECTOR = Vocabulary("detector", catalogue.DETECTORS)
_SCHEDULE = Vocabulary("schedule", catalogue.SCHEDULES)
_LOSS = Vocabulary(
    "loss",
    {
        name: {**parameters, "delay": integer(catalogue.DEFAULT_DELAY.get(name, 0), 0)}
        for name, parameters in catalogue.LOSSES.items()
    },
    common={"delay": catalogue.DELAY},
    references=True,
)


def read_block(node: Node, name: str, problems: Problems) -> Block | None:
    """Read one block; None where it has problems, which are then in `problems`."""
    before = len(problems.found)
    if not node.is_mapping:
        if node.value is not REPORTED:
            problems.add(node, f"is {show(node.plain())}, but must be a mapping with {', '.join(_REQUIRED)}")
        return None
    for key, value in node.value.items():
        if key not in _KEYS:
            problems.add(value, f"key {unknown(key, _KEYS)}")
    for key in _REQUIRED:
        if key not in node.value:
            problems.add(node, f"has no `{key}:`")
    entries = node.value
    datasets, corruptions, losses = (
        read_union(entries[key], vocabulary, problems) if key in entries else []
        for key, vocabulary in (("dataset", _DATASET), ("corruption", _CORRUPTION), ("loss", _LOSS))
    )
    detectors: list[Found] = [(_default_detector(), node)]
    if "detector" in entries:
        detectors = read_union(entries["detector"], _DETECTOR, problems)
    trainings = _read_training(entries["training"], problems) if "training" in entries else [{}]
    dynamics = (
        read_values(entries["dynamics"], catalogue.DYNAMICS, problems) if "dynamics" in entries else [False]
    )
    seeds = _read_seeds(entries["seeds"], problems) if "seeds" in entries else []
    if len(problems.found) > before:
        return None
    trials: list[Trial] = []
    for dataset, corruption, detector, training, flag, loss in itertools.product(
        datasets, corruptions, detectors, trainings, dynamics, losses
    ):
        trial = configure(dataset, corruption, detector, loss, training, flag, problems)
        trials.extend(replace(trial, seed=seed) for seed in seeds)
    if len(problems.found) > before:
        return None
    return Block(name, tuple(trials), len(seeds))


def _default_detector() -> Component:
    parameters = catalogue.DETECTORS["confident-learning"]
    return Component.of(
        "confident-learning",
        **{key: parameter.default for key, parameter in parameters.items()},  # type: ignore[arg-type]
    )


def _read_training(node: Node, problems: Problems) -> list[Overrides]:
    """Read `training:` into one set of overrides for each combination of its lists."""
    if not node.is_mapping:
        if node.value is not REPORTED:
            problems.add(node, f"is {show(node.plain())}, but must be a mapping, such as {{epochs: 10}}")
        return []
    known = (*catalogue.TRAINING, "schedule")
    axes: list[list[tuple[str, Any]]] = []
    for key, value in node.value.items():
        if key == "schedule":
            axes.append([(key, schedule) for schedule, _ in read_union(value, _SCHEDULE, problems)])
        elif key in catalogue.TRAINING:
            axes.append([(key, item) for item in read_values(value, catalogue.TRAINING[key], problems)])
        else:
            problems.add(value, f"field {unknown(key, known)}")
    return [dict(combination) for combination in itertools.product(*axes)]


def _read_seeds(node: Node, problems: Problems) -> list[int]:
    """Read `seeds: 20` as 0..19, or a list as it stands."""
    if node.is_list:
        return read_values(node, integer(low=0), problems)
    counts = read_values(node, integer(low=1), problems)
    return list(range(counts[0])) if counts else []
