"""What is measured on a device: the trainings of a sweep's trials, or those of one model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from noisebench.catalogue.component import Component
from noisebench.catalogue.datasets import DATASETS
from noisebench.catalogue.detectors import DEFAULT, descriptor_of
from noisebench.catalogue.models import MODELS, TORCHVISION, model_of
from noisebench.catalogue.plans import Plan
from noisebench.catalogue.training import TRAINING
from noisebench.errors import InputError
from noisebench.science.vision import check_classifier
from noisebench.sweep.cost import image_shape
from noisebench.sweep.reference import is_reference
from noisebench.sweep.sweep import parse_sweep
from noisebench.sweep.trial import Training, Trial

Shape = tuple[int, int, int]

# Batches of an epoch. On a GPU as many as MNIST has, because the cost of an epoch's end matters there.
_BATCHES = {"cuda": 750, "cpu": 8}
# The same of a short trial: on a GPU enough to capture a step.
_SHORT_BATCHES = {"cuda": 5, "cpu": 1}
# Detectors need some samples of each class.
_LEAST_SAMPLES = 100
# Epochs before the loss starts, and at least as many with it.
_DELAY = 1


@dataclass(frozen=True)
class Task:
    """A training under a detector's plan, to measure on noise images (C, H, W).

    Each process on `device` measures it for about `seconds`. Checkpoints and scores are written below
    `scratch`, which is best on the disk of the results.
    """

    training: Training
    detector: Component
    shape: Shape
    device: str
    seconds: float
    scratch: Path = Path()

    @property
    def plan(self) -> Plan:
        """The plan of the detector."""
        return descriptor_of(self.detector).training

    def trial(self) -> Trial:
        """Return a trial with enough epochs to time some of them."""
        batches = _BATCHES[torch.device(self.device).type]
        return self._trial(self._samples(batches), max(self.training.epochs, 4))

    def short_trial(self) -> Trial:
        """Return a trial of few batches and epochs."""
        samples = self._samples(_SHORT_BATCHES[torch.device(self.device).type])
        return self._trial(samples, 2 * _DELAY + self.detector.get("skip_epochs", 0))

    def images_of_a_fit(self, trial: Trial) -> int:
        """Return the images that one model of a trial sees in an epoch."""
        samples: int = trial.dataset["count"]
        return samples - samples // self._folds if self._folds > 1 else samples

    @property
    def _folds(self) -> int:
        return self.plan.fits_of(self.detector) if self.plan.held_out else 1

    def _samples(self, batches: int) -> int:
        """Return so many samples that an epoch of one model has `batches`; folds have equal sizes."""
        wanted, folds = max(batches * self.training.batch_size, _LEAST_SAMPLES), self._folds
        return wanted if folds == 1 else -(-wanted // (folds - 1)) * folds

    def _trial(self, samples: int, epochs: int) -> Trial:
        channels, height, width = self.shape
        return Trial(
            dataset=Component.of(
                "noisebench.data.noise:noise", count=samples, channels=channels, height=height, width=width
            ),
            corruption=Component.of("uniform", rate=0.2, exact=False),
            loss=Component.of("BL", gamma=0.4, delay=_DELAY),
            detector=self.detector,
            training=replace(
                self.training, epochs=epochs, pretrained=False, weights=None, weights_content=None
            ),
            dynamics=False,
            seed=0,
        )


def tasks_of(trials: Iterable[Trial], device: str, seconds: float) -> list[Task]:
    """Return the tasks of a sweep's trials: each model at each image height once in both precisions.

    Of the trials that share model and height, the plan that most trainings have is measured.
    """
    trainings: dict[str, Trial] = {}
    for trial in trials:
        trainings.setdefault(trial.evidence_id, trial)
    by_plan: dict[tuple[str, int], dict[str, list[Trial]]] = {}
    for trial in trainings.values():
        key = (trial.training.model, image_shape(trial)[1])
        by_plan.setdefault(key, {}).setdefault(descriptor_of(trial.detector).plan, []).append(trial)
    chosen = [max(plans.values(), key=len)[0] for plans in by_plan.values()]
    return [
        Task(training, _timed(trial.detector), image_shape(trial), device, seconds)
        for trial in chosen
        for training in _precisions(trial.training)
    ]


def typical_tasks(model: str, device: str, seconds: float) -> list[Task]:
    """Return the tasks of one model, in both precisions.

    It is trained as in the recipe that names it, else as digits are; on images, or features, of the shape for
    which its work is counted. Raises InputError for a name that is no model.
    """
    if not is_model(model):
        known = ", ".join((*MODELS, f"{TORCHVISION}NAME"))
        raise InputError(f"{model}: neither the YAML file of a sweep nor a model; known models: {known}")
    if model.startswith(TORCHVISION):
        check_classifier(model.removeprefix(TORCHVISION))
    shape = model_of(model).work.shape
    dataset, detector = _recipe(model, shape)
    fields = f"dataset: {dataset}, corruption: none, loss: CE, detector: {detector}, seeds: 1"
    (trial,) = parse_sweep(f"sweep: typical\nblocks: {{typical: {{{fields}}}}}", "typical").trials()
    return [
        Task(training, trial.detector, shape, device, seconds)
        for training in _precisions(replace(trial.training, model=model))
    ]


def is_model(name: str) -> bool:
    """Whether a sweep may name this model, as far as known without torchvision."""
    return name in MODELS or name.startswith(TORCHVISION)


def _recipe(model: str, shape: Shape) -> tuple[str, str]:
    """Return the data set and the detector whose recipe trains a model on images of `shape`."""
    for name, entry in DATASETS.items():
        for detector in (DEFAULT, *entry.recipe.by_detector):
            if entry.shape == shape and entry.recipe.training_for(detector)["model"] == model:
                return name, detector
    return "digits", DEFAULT


def _precisions(training: Training) -> Iterator[Training]:
    for precision in TRAINING["precision"].choices:
        yield replace(training, precision=precision)


def _timed(detector: Component) -> Component:
    """Return a detector of the same plan that needs neither a user's code nor a separate training part."""
    plan = descriptor_of(detector).training
    if plan.held_out and plan.fits_of(detector) == 1:
        return Component.of("none")
    if not is_reference(detector.name):
        return detector
    return (
        Component.of(DEFAULT, folds=detector["folds"], prune="both")
        if plan.held_out
        else Component.of("none")
    )
