"""One combination of a grid's alternatives: values of the recipe filled in, checked as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from noisebench.catalogue import datasets as catalogue
from noisebench.catalogue.component import Component, Value
from noisebench.catalogue.datasets import DATASETS, DatasetDescriptor
from noisebench.catalogue.detector import TRACES
from noisebench.catalogue.detectors import DETECTORS, descriptor_of
from noisebench.catalogue.models import MODELS, TORCHVISION, model_of
from noisebench.catalogue.parameters import FROM_RECIPE
from noisebench.sweep.components import Placed, describe
from noisebench.sweep.nodes import Node, Problems
from noisebench.sweep.trial import Training, Trial

Overrides = dict[str, Any]


@dataclass(frozen=True)
class Combination:
    """One combination of a grid's alternatives, parameters from recipes not yet filled in."""

    dataset: Placed
    corruption: Placed
    detector: Placed
    loss: Placed
    overrides: Overrides
    dynamics: bool


def configure(combination: Combination, problems: Problems) -> Trial:
    """Return the trial of a combination with seed 0, values of the recipe filled in.

    Parts that do not fit together are added to `problems`.
    """
    (dataset, _), (corruption, _) = combination.dataset, combination.corruption
    (loss, at_loss), (detector, _) = combination.loss, combination.detector
    recipe = catalogue.dataset(dataset.name).recipe
    training = Training(**{**recipe.training_for(detector.name), **combination.overrides})
    resolved_loss = _resolve(loss, recipe.losses)
    resolved_detector = _resolve(detector, {"folds": recipe.folds})
    _check_delay(resolved_loss, training, at_loss, problems)
    _check_skip(combination.detector, training, problems)
    _check_gradual(combination.detector, training, problems)
    _check_phases(combination.detector, training, problems)
    _check_model(training, at_loss, problems)
    _check_flag_rule(combination.detector, problems)
    _check_one_plan(combination.detector, problems)
    _check_dropout(combination.detector, training, problems)
    entry = DATASETS.get(dataset.name)
    if corruption.name == "asymmetric":
        _check_asymmetric(dataset.name, entry, combination.corruption, problems)
    if entry is not None:
        _check_samples(combination.dataset, entry, problems)
        _check_human(entry, combination.corruption, problems)
        _check_detector(entry, combination.detector, problems)
    return Trial(dataset, corruption, resolved_loss, resolved_detector, training, combination.dynamics, 0)


def _resolve(component: Component, recipe: Mapping[str, Value]) -> Component:
    """Replace each FROM_RECIPE by the value of the recipe."""
    parameters = {
        key: recipe[key] if cast("object", value) is FROM_RECIPE else value
        for key, value in component.parameters
    }
    return Component.of(component.name, **parameters)


def _check_delay(loss: Component, training: Training, node: Node, problems: Problems) -> None:
    if loss["delay"] >= training.epochs:
        left = f"delay {loss['delay']} leaves {describe(loss)} no epoch"
        problems.add(node, f"{left}: the training has {training.epochs}")


def _check_skip(detector: Placed, training: Training, problems: Problems) -> None:
    component, node = detector
    if component.get("skip_epochs", 0) >= training.epochs:
        left = f"skip_epochs {component['skip_epochs']} leaves {component.name} no epoch"
        problems.add(node, f"{left}: the training has {training.epochs}")


def _check_gradual(detector: Placed, training: Training, problems: Problems) -> None:
    component, node = detector
    gradual = component.get("gradual", 0)
    if gradual > training.epochs:
        problems.add(
            node,
            f"{component.name} raises the share that it leaves out over {gradual} epochs, but the training "
            f"has {training.epochs}; set gradual to at most that",
        )


def _check_phases(detector: Placed, training: Training, problems: Problems) -> None:
    component, node = detector
    if component.name == "selnlpl-schedule" and training.epochs < 3:
        problems.add(
            node,
            f"{component.name} trains in three phases, but the training has {training.epochs} epochs; set "
            "epochs to at least 3",
        )


def _check_model(training: Training, node: Node, problems: Problems) -> None:
    if training.pretrained and model_of(training.model).weights is None:
        problems.add(
            node, f"there are no pretrained weights for {training.model}; set training: {{pretrained: false}}"
        )
    if training.weights is None:
        return
    if not training.model.startswith(TORCHVISION):
        problems.add(
            node,
            f"weights are for models of torchvision, such as {TORCHVISION}resnet18, not {training.model}",
        )
    if training.pretrained:
        problems.add(node, "weights and pretrained: true name two files of weights; leave one out")


def _check_flag_rule(detector: Placed, problems: Problems) -> None:
    component, node = detector
    rule = component.get("flag")
    if rule is None:
        return
    if rule == "share" and component["share"] is None:
        problems.add(
            node,
            f"{component.name} flags a share of the labels, so it must be told the rate: add `share`, such "
            "as share: 0.2, or use a rule that needs no rate, such as flag: mixture",
        )
    elif rule != "share" and component["share"] is not None:
        problems.add(
            node,
            f"{component.name} reads `share` only with flag: share, but its flag is {rule}; leave one out",
        )


def _check_one_plan(detector: Placed, problems: Problems) -> None:
    component, node = detector
    traces = [name for name in component.get("reads", ()) if name in TRACES]
    if traces and "probabilities" in component["reads"]:
        problems.add(
            node,
            f"{component.name} reads probabilities, which folds leave, and {', '.join(traces)}, which a "
            "single run leaves; a detector judges the evidence of one plan, so leave one of them out",
        )


def _check_dropout(detector: Placed, training: Training, problems: Problems) -> None:
    component, node = detector
    if "passes" in descriptor_of(component).needs and not model_of(training.model).dropout:
        known = ", ".join(name for name, model in MODELS.items() if model.dropout)
        problems.add(
            node,
            f"{component.name} compares passes with dropout, but {training.model} has none that noisebench "
            f"can switch on; models with dropout: {known}",
        )


def _check_samples(dataset: Placed, entry: DatasetDescriptor, problems: Problems) -> None:
    samples = dataset[0].get("samples")
    if samples is not None and samples > entry.samples:
        problems.add(dataset[1], f"samples is {samples}, but {dataset[0].name} has only {entry.samples}")


def _check_asymmetric(
    name: str, entry: DatasetDescriptor | None, corruption: Placed, problems: Problems
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


def _check_human(entry: DatasetDescriptor, corruption: Placed, problems: Problems) -> None:
    kind, node = corruption[0].name, corruption[1]
    if entry.human and kind != "human":
        problems.add(node, f"{entry.name} has human labels, so its corruption must be `human`, not {kind}")
    elif kind == "human" and not entry.human:
        known = ", ".join(other for other, known_entry in DATASETS.items() if known_entry.human)
        problems.add(node, f"{entry.name} has no human labels; data sets that have them: {known}")


def _check_detector(entry: DatasetDescriptor, detector: Placed, problems: Problems) -> None:
    if entry.training_samples is None:
        return
    component, node = detector
    if not descriptor_of(component).training.separate_training:
        known = ", ".join(other for other, each in DETECTORS.items() if each.training.separate_training)
        problems.add(node, f"{entry.name} works with {known} only, not with {component.name}")
    elif component.get("folds", FROM_RECIPE) is not FROM_RECIPE:
        problems.add(
            node, f"{entry.name} has a separate training part, so there are no folds; leave out `folds`"
        )
