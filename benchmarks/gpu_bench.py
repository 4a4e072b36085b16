"""The device of `benchmarks/gpu.py` with the amount of work that is measured on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks.row import Row
from benchmarks.workload import (
    RECIPES,
    Images,
    mnist,
    noise,
    prediction_rate,
    task_of,
    training_rate,
)
from noisebench.sweep.trial import Training
from noisebench.training.modes import Modes
from noisebench.training.task import TrainingTask

# Images of an epoch, enough for an epoch's own cost to count as little as in a trial.
IMAGES = {"small-cnn": 48_000, "resnet-32": 12_800, "resnet-34": 12_800}


@dataclass(frozen=True)
class Rate:
    """Images a second of a model in some modes, for the projection of the grid."""

    model: str
    training: float
    evaluation: float
    modes: str


@dataclass(frozen=True)
class Unequal:
    """A model and modes in which it differs too much from the reference: their rate does not count."""

    model: str
    unequal_modes: str


@dataclass
class Bench:
    """One device, how much is done on it, and what is called with each finding for the grid."""

    device: torch.device
    data_dir: Path | None
    probabilities: Path | None = None
    tiny: bool = False
    report: Callable[[Rate | Unequal], object] = lambda _: None

    @property
    def steps(self) -> int:
        """How many steps are compared with those of the reference."""
        return 3 if self.tiny else 20

    @property
    def models(self) -> list[str]:
        """The models whose digits are compared."""
        return [model for model in RECIPES if not (self.tiny and model == "resnet-34")]

    def recipe(self, model: str) -> Training:
        """Return the papers' training of a model; from random weights."""
        return replace(RECIPES[model], batch_size=8) if self.tiny else RECIPES[model]

    def images(self, model: str, samples: int | None = None) -> Images:
        """Return MNIST for the small CNN, noise of CIFAR's shape for the others."""
        if self.tiny:
            return noise((1 if model == "small-cnn" else 3, 8, 8), 40)
        samples = samples or IMAGES[model]
        return mnist(self.data_dir, samples) if model == "small-cnn" else noise((3, 32, 32), samples)

    def task(self, model: str, fits: int = 1, samples: int | None = None) -> TrainingTask:
        """Return the training of some models at a time."""
        return task_of(self.images(model, samples), self.recipe(model), self.device, fits)

    def modes(self, words: str) -> Modes:
        """Read modes; on a CPU those without a graph."""
        kept = [word for word in words.split() if word != "graph" or self.device.type == "cuda"]
        return Modes.parse(" ".join(kept), self.device)

    def rate(self, model: str, modes: Modes, fits: int = 1) -> float:
        """Return images a second in training, over all models; reports the rates for the grid."""
        task = self.task(model, fits)
        training = training_rate(task, modes, epochs=1 if self.tiny else 3)
        self.report(Rate(model, training, prediction_rate(task, modes), str(modes)))
        return training


@dataclass(frozen=True)
class Part:
    """One row's measurement, with its number and how many seconds it may take."""

    number: str
    measure: Callable[[Bench], Iterator[Row]]
    seconds: float
