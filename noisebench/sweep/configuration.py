"""One combination of a grid's alternatives, completed from recipes, checked as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from noisebench.catalogue import datasets as catalogue
from noisebench.catalogue.component import Component, Value
from noisebench.catalogue.datasets import DATASETS, DatasetDescriptor
from noisebench.catalogue.detectors import DETECTORS
from noisebench.catalogue.models import MODELS
from noisebench.catalogue.parameters import FROM_RECIPE
from noisebench.sweep.components import Found, describe
from noisebench.sweep.nodes import Node, Problems
from noisebench.sweep.trial import Training, Trial

Overrides = dict[str, Any]


def configure(
    dataset: Found,
    corruption: Found,
    detector: Found,
    loss: Found,
    overrides: Overrides,
    dynamics: bool,
    problems: Problems,
) -> Trial:
    """Return the trial of one combination with seed 0, all that the data set implies written out.

    What cannot go together is noted in `problems`.
    """
    name, entry = dataset[0].name, DATASETS.get(dataset[0].name)
    recipe = catalogue.dataset(name).recipe
    training = Training(**{**recipe.training_for(detector[0].name), **overrides})
    resolved_loss = _resolve(loss[0], recipe.losses)
    resolved_detector = _resolve(detector[0], {"folds": recipe.folds})
    _check_delay(resolved_loss, training, loss[1], problems)
    _check_skip(detector, training, problems)
    _check_model(training, loss[1], problems)
    if corruption[0].name == "asymmetric":
        _check_asymmetric(name, entry, corruption, problems)
    if entry is not None:
        _check_samples(dataset, entry, problems)
        _check_human(name, entry, corruption, problems)
        _check_detector(name, entry, detector, problems)
    return Trial(dataset[0], corruption[0], resolved_loss, resolved_detector, training, dynamics, 0)


def _resolve(component: Component, recipe: Mapping[str, Value]) -> Component:
    """Put values in where the component leaves them to the recipe."""
    parameters = {
        key: recipe[key] if cast("object", value) is FROM_RECIPE else value
        for key, value in component.parameters
    }
    return Component.of(component.name, **parameters)


def _check_delay(loss: Component, training: Training, node: Node, problems: Problems) -> None:
    if loss["delay"] >= training.epochs:
        left = f"delay {loss['delay']} leaves {describe(loss)} no epoch"
        problems.add(node, f"{left}: the training has {training.epochs}")


def _check_skip(detector: Found, training: Training, problems: Problems) -> None:
    component, node = detector
    if component.get("skip_epochs", 0) >= training.epochs:
        left = f"skip_epochs {component['skip_epochs']} leaves {component.name} no epoch"
        problems.add(node, f"{left}: the training has {training.epochs}")


def _check_model(training: Training, node: Node, problems: Problems) -> None:
    if training.pretrained and MODELS[training.model].weights is None:
        problems.add(
            node, f"there are no pretrained weights for {training.model}; set training: {{pretrained: false}}"
        )


def _check_samples(dataset: Found, entry: DatasetDescriptor, problems: Problems) -> None:
    samples = dataset[0].get("samples")
    if samples is not None and samples > entry.samples:
        problems.add(dataset[1], f"samples is {samples}, but {dataset[0].name} has {entry.samples} only")


def _check_asymmetric(
    name: str, entry: DatasetDescriptor | None, corruption: Found, problems: Problems
) -> None:
    component, node = corruption
    rate, matrix = component["rate"], component["matrix"]
    if (rate is None) == (matrix is None):
        problems.add(node, "asymmetric needs either `rate`, with the data set's standard map, or `matrix`")
    elif rate is not None and (entry is None or entry.confusions is None):
        known = ", ".join(other for other, known_entry in DATASETS.items() if known_entry.confusions)
        problems.add(node, f"{name} has no standard map (known: {known}); give `matrix`")
    elif matrix is not None and entry is not None and len(matrix) != entry.classes:
        problems.add(node, f"matrix is {len(matrix)} x {len(matrix)}, but {name} has {entry.classes} classes")


def _check_human(name: str, entry: DatasetDescriptor, corruption: Found, problems: Problems) -> None:
    kind, node = corruption[0].name, corruption[1]
    if entry.human and kind != "human":
        problems.add(node, f"{name} comes with people's labels, so its corruption is `human`, not {kind}")
    elif kind == "human" and not entry.human:
        known = ", ".join(other for other, known_entry in DATASETS.items() if known_entry.human)
        problems.add(node, f"{name} has no human labels; data sets that have them: {known}")


def _check_detector(name: str, entry: DatasetDescriptor, detector: Found, problems: Problems) -> None:
    if entry.training_samples is None:
        return
    component, node = detector
    if not DETECTORS[component.name].separate_training:
        known = ", ".join(other for other, detectors in DETECTORS.items() if detectors.separate_training)
        problems.add(node, f"{name} is judged by {known} alone, not by {component.name}")
    elif component.get("folds", FROM_RECIPE) is not FROM_RECIPE:
        problems.add(node, f"{name} has a training part of its own, so there are no folds; leave `folds` out")
