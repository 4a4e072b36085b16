"""One named grid of a sweep, expanded into trials."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from noisebench.catalogue.component import Component
from noisebench.catalogue.corruptions import CORRUPTIONS
from noisebench.catalogue.datasets import DATASETS, FOLDER, OWN
from noisebench.catalogue.detectors import DEFAULT, DETECTORS, OWN_ALWAYS, OWN_PARAMETERS, OWN_READS
from noisebench.catalogue.losses import COMMON, LOSSES
from noisebench.catalogue.models import model_of
from noisebench.catalogue.parameters import flag, integer
from noisebench.catalogue.training import SCHEDULES, TRAINING
from noisebench.errors import InputError
from noisebench.sweep.components import MAX_TRIALS, Vocabulary, exceeds_limit, union
from noisebench.sweep.configuration import Combination, Overrides, configure
from noisebench.sweep.image_files import content_hash
from noisebench.sweep.nodes import Node, Problems
from noisebench.sweep.reference import content_of_file, source_hash
from noisebench.sweep.schema import (
    Field,
    Fields,
    alternatives,
    is_mapping,
    read_fields,
    read_values,
    refuse_unknown,
)
from noisebench.sweep.trial import Trial


@dataclass(frozen=True)
class Block:
    """A block and its trials in grid order; seeds vary fastest."""

    name: str
    trials: tuple[Trial, ...]
    seeds_asked: int


_DATASET = Vocabulary(
    "data set",
    {name: entry.parameters for name, entry in DATASETS.items()},
    references=True,
    shorthands={FOLDER.name: FOLDER.parameters, OWN.name: OWN.parameters},
)
_CORRUPTION = Vocabulary(
    "corruption", {name: entry.parameters for name, entry in CORRUPTIONS.items()}, key="kind"
)
_DETECTOR = Vocabulary(
    "detector",
    {name: entry.parameters for name, entry in DETECTORS.items()},
    common=OWN_PARAMETERS,
    references=True,
    reads=frozenset(OWN_READS),
    always=OWN_ALWAYS,
)
_SCHEDULE = Vocabulary("schedule", {name: entry.parameters for name, entry in SCHEDULES.items()})
_LOSS = Vocabulary(
    "loss",
    {name: entry.fields for name, entry in LOSSES.items()},
    common=COMMON,
    references=True,
)


def read_block(node: Node, name: str, problems: Problems) -> Block | None:
    """Read one block; return None if it has problems, which are added to `problems`."""
    before = problems.count()
    if not is_mapping(node, "a mapping with dataset, corruption, loss, seeds", problems):
        return None
    values = read_fields(node, _FIELDS, problems, "key", empty_is_absent=False)
    if problems.count() > before:
        return None
    values["dataset"] = [(_identified(component), where) for component, where in values["dataset"]]
    axes = [values[key] for key in ("dataset", "corruption", "detector", "training", "dynamics", "loss")]
    axes[2] = axes[2] or [(_default_detector(), node)]
    if exceeds_limit([*axes, values["seeds"]], node, problems):
        return None
    trials: list[Trial] = []
    for dataset, corruption, detector, training, dynamics, loss in itertools.product(*axes):
        combination = Combination(dataset, corruption, detector, loss, training, dynamics)
        trial = configure(combination, problems)
        trials.extend(replace(trial, seed=seed) for seed in values["seeds"])
    if problems.count() > before:
        return None
    return Block(name, tuple(trials), len(values["seeds"]))


def _identified(dataset: Component) -> Component:
    """Add the hash of its images to a folder of images, if the folder can be read here."""
    content = content_hash(Path(dataset["path"])) if dataset.name == FOLDER.name else None
    if content is None:
        return dataset
    return Component.of(dataset.name, content=content, **dataset.without())


def _default_detector() -> Component:
    parameters = DETECTORS[DEFAULT].parameters
    defaults: dict[str, Any] = {key: parameter.default for key, parameter in parameters.items()}
    return Component.of(DEFAULT, **defaults)


def _read_training(node: Node, problems: Problems) -> list[Overrides]:
    """Read `training:`; lists of values give one set of overrides for each combination."""
    if not is_mapping(node, "a mapping, such as {epochs: 10}", problems):
        return []
    refuse_unknown(node, _TRAINING, problems)
    axes: list[list[tuple[str, Any]]] = []
    sources: dict[str, str] = {}
    for key, entry in node.value.items():
        if key == "schedule":
            axes.append([(key, schedule) for schedule, _ in _TRAINING[key].read(entry, problems)])
        elif key in _TRAINING:
            axes.append([(key, value) for value in _TRAINING[key].read(entry, problems)])
            if key == "model":
                sources = _sources((name for _, name in axes[-1]), entry, problems)
    if exceeds_limit(axes, node, problems):
        return []
    contents = _contents(node, axes, problems)
    combinations = (dict(combination) for combination in itertools.product(*axes))
    return [
        each
        | ({"model_source": sources[each["model"]]} if each.get("model") in sources else {})
        | ({"weights_content": contents[each["weights"]]} if each.get("weights") in contents else {})
        for each in combinations
    ]


def _contents(node: Node, axes: Iterable[Iterable[tuple[str, Any]]], problems: Problems) -> dict[str, str]:
    """Return the hash of each file of weights."""
    contents = {}
    for path in (value for axis in axes for key, value in axis if key == "weights" and value is not None):
        try:
            contents[path] = content_of_file(Path(path).read_bytes())
        except OSError as error:
            problems.add(node.value["weights"], f"{path} cannot be read: {error.strerror}")
    return contents


def _sources(models: Iterable[str], node: Node, problems: Problems) -> dict[str, str]:
    """Return the hash of the source of each model that is a user's function."""
    sources = {}
    for name in models:
        try:
            if model_of(name).is_users_function:
                sources[name] = source_hash(name)
        except InputError as error:
            problems.add(node, str(error))
    return sources


def _read_seeds(node: Node, problems: Problems) -> Sequence[int]:
    """Read `seeds: 20` as 0..19; use a list as written."""
    if node.is_list:
        return read_values(node, integer(low=0), problems)
    counts = read_values(node, integer(low=1), problems)
    if counts and counts[0] > MAX_TRIALS:
        problems.add(node, f"is {counts[0]}, but must be at most {MAX_TRIALS:,}")
        return []
    return range(counts[0]) if counts else []


_TRAINING: dict[str, Field] = {
    **{name: alternatives(parameter) for name, parameter in TRAINING.items()},
    "schedule": union(_SCHEDULE),
}
_FIELDS: Fields = {
    "dataset": union(_DATASET),
    "corruption": union(_CORRUPTION),
    "detector": union(_DETECTOR, default=None),
    "loss": union(_LOSS),
    "training": Field("a mapping, such as {epochs: 10}", _read_training, [{}]),
    "dynamics": alternatives(flag(False)),
    "seeds": Field("a number of seeds, or a list of them", _read_seeds),
}
