"""The measurements of `benchmarks/gpu.py`, each made in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.row import Row, at_least, at_most
from benchmarks.workload import (
    RECIPES,
    Images,
    mnist,
    models,
    noise,
    prediction_rate,
    task_of,
    training_rate,
    usual_epoch_seconds,
)
from noisebench.catalogue.component import Component
from noisebench.science import confident_learning
from noisebench.science.detection import Detection
from noisebench.sweep.trial import Training, Trial
from noisebench.training.equality import difference
from noisebench.training.modes import Modes, default_modes
from noisebench.training.task import TrainingTask
from noisebench.trial.measurement import Measurement, measure

# Forward and backward, of one image of 32x32.
RESNET_34_FLOP = 6.953e9
FOLDS = 5
WORKERS = 4
EQUAL_STEPS = 20
# Images of an epoch, enough for an epoch's own cost to count as little as in a trial.
IMAGES = {"small-cnn": 48_000, "resnet-32": 12_800, "resnet-34": 12_800}


@dataclass(frozen=True)
class Rate:
    """Images a second of a model, for the projection of the grid."""

    model: str
    training: float
    evaluation: float


@dataclass
class Bench:
    """One device, how much is done on it, and the rates that were found."""

    device: torch.device
    data_dir: Path | None
    probabilities: Path | None = None
    tiny: bool = False
    rates: list[Rate] = field(default_factory=list)

    def recipe(self, model: str) -> Training:
        """Return the papers' training of a model."""
        return replace(RECIPES[model], batch_size=8) if self.tiny else RECIPES[model]

    def images(self, model: str, samples: int | None = None) -> Images:
        """Return MNIST for the small CNN, noise of CIFAR's shape for the others."""
        if self.tiny:
            return noise((1 if model == "small-cnn" else 3, 8, 8), 40)
        samples = samples or IMAGES[model]
        return mnist(self.data_dir, samples) if model == "small-cnn" else noise((3, 32, 32), samples)

    def task(self, model: str, runs: int = 1, samples: int | None = None) -> TrainingTask:
        """Return the training of some models at a time."""
        return task_of(self.images(model, samples), self.recipe(model), self.device, runs)

    def modes(self, words: str) -> Modes:
        """Read modes; on a CPU those without a graph."""
        kept = [word for word in words.split() if word != "graph" or self.device.type == "cuda"]
        return Modes.parse(" ".join(kept), self.device)

    def rate(self, model: str, modes: Modes, runs: int = 1) -> float:
        """Return images a second in training, over all models; keeps the rates for the grid."""
        task = self.task(model, runs)
        training = training_rate(task, modes, epochs=1 if self.tiny else 3)
        self.rates.append(Rate(model, training, prediction_rate(task, modes)))
        return training


@dataclass(frozen=True)
class Part:
    """One row's measurement, with its number and how many seconds it may take."""

    number: str
    measure: Callable[[Bench], Iterator[Row]]
    seconds: float


def equality(words: str, bench: Bench) -> Iterator[Row]:
    """Compare the first steps with those of eager float32, one run at a time."""
    modes = bench.modes(words)
    recipe = bench.recipe("small-cnn")
    task = bench.task("small-cnn", 2, EQUAL_STEPS * recipe.batch_size)
    task = replace(task, training=replace(task.training, epochs=1))
    shape = task.inputs.images.shape[1:]
    found = difference(task, lambda: models("small-cnn", shape, task.runs, bench.device), modes)
    figures = f"logits differ by at most {found.largest:.1e}, root mean square {found.root_mean_square:.1e}"
    yield at_most("=", f"{EQUAL_STEPS} steps, {modes}", figures, found.share_of_bound, 1, " of bound")


def small_cnn(bench: Bench) -> Iterator[Row]:
    """Row 2: beside the usual loop."""
    images, recipe = bench.images("small-cnn"), bench.recipe("small-cnn")
    modes = default_modes(bench.device, "small-cnn", images.pixels.shape)
    workers = 0 if bench.tiny else WORKERS
    epochs = 1 if bench.tiny else 2
    usual = len(images.labels) / usual_epoch_seconds(images, recipe, bench.device, workers, epochs)
    rate = bench.rate("small-cnn", modes, FOLDS if modes.together else 1)
    figures = f"{rate:,.0f} images/s ({modes}), usual loop {usual:,.0f}"
    yield at_least("2", f"small CNN training, {images.source}", figures, rate / usual, 20)


def whole_trial(bench: Bench) -> Iterator[Row]:
    """Row 2: a trial as users run it, the second of its process."""
    with_detection, find = _Detection(), confident_learning.find
    confident_learning.find = with_detection  # type: ignore[assignment]
    try:
        measure(_trial(bench, epochs=1), bench.data_dir, bench.device)
        began = time.perf_counter()
        measured = measure(_trial(bench), bench.data_dir, bench.device)
        seconds = time.perf_counter() - began
    finally:
        confident_learning.find = find
    if bench.probabilities is not None:
        with_detection.write(bench.probabilities, measured)
    figures = (
        f"{seconds:.2f} s with {with_detection.name}, accuracy on clean labels "
        f"{measured.result['clean_accuracy']:.4f} ({measured.fast_path})"
    )
    yield at_most("2", f"{FOLDS}-fold trial, {bench.images('small-cnn').source}", figures, seconds, 3, " s")


def resnet_34(words: str, bench: Bench) -> Iterator[Row]:
    """Row 3: the share of the matrix rate."""
    modes = bench.modes(words)
    peak = matrix_rate(bench, modes.dtype)
    rate = bench.rate("resnet-34", modes, FOLDS if modes.together else 1)
    figures = f"{rate:,.0f} images/s; matrices {peak / 1e12:,.1f} TFLOP/s; published 19-36%"
    yield at_least("3", f"ResNet-34, {modes}", figures, 100 * rate * RESNET_34_FLOP / peak, 40, "%")


def matrix_rate(bench: Bench, dtype: torch.dtype) -> float:
    """Return the FLOP/s of a large matrix product."""
    size = 256 if bench.tiny else 8192
    left, right = (torch.randn(size, size, device=bench.device).to(dtype) for _ in range(2))
    seconds = []
    for _ in range(8):
        began = time.perf_counter()
        (left @ right).flatten()[0].item()
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 / min(seconds)


def at_a_time(model: str, words: str, bar: float, bench: Bench) -> Iterator[Row]:
    """Row 4: five models at a time beside one."""
    alone = bench.modes(words.replace("branches", "").replace("grouped", ""))
    together = bench.modes(words)
    one = bench.rate(model, alone)
    five = bench.rate(model, together, FOLDS)
    figures = f"{five:,.0f} images/s, one at a time {one:,.0f}"
    yield at_least("4", f"{FOLDS} x {model}, {together}", figures, five / one, bar)


_ONE = "half channels-last graph"
ROWS = {
    "equality-branches": Part("=", partial(equality, "fp32 graph branches"), 120),
    "equality-grouped": Part("=", partial(equality, "fp32 graph grouped"), 120),
    "equality-half": Part("=", partial(equality, f"{_ONE} branches"), 120),
    "small-cnn": Part("2", small_cnn, 180),
    "trial": Part("2", whole_trial, 180),
    "resnet-34": Part("3", partial(resnet_34, _ONE), 120),
    "resnet-34-branches": Part("3", partial(resnet_34, f"{_ONE} branches"), 180),
    "resnet-34-compiled": Part("3", partial(resnet_34, f"{_ONE} compiled"), 300),
    "branches-small-cnn": Part("4", partial(at_a_time, "small-cnn", f"{_ONE} branches", 3.5), 120),
    "branches-resnet-32": Part("4", partial(at_a_time, "resnet-32", f"{_ONE} branches", 2), 180),
    "grouped-small-cnn": Part("4", partial(at_a_time, "small-cnn", f"{_ONE} grouped", 3.5), 120),
    "grouped-resnet-32": Part("4", partial(at_a_time, "resnet-32", f"{_ONE} grouped", 2), 180),
}


class _Detection:
    """Confident learning, or a stand-in where cleanlab is missing; keeps its arguments."""

    def __init__(self) -> None:
        self._find = confident_learning.find
        self.arguments: tuple[Any, ...] = ()
        try:
            import cleanlab  # noqa: F401

            self.name = "detection"
        except ImportError:
            self.name = "flags by argmax, no cleanlab here"

    def __call__(self, labels: Any, probabilities: Any, *options: Any) -> Detection:
        self.arguments = (labels, probabilities)
        if self.name == "detection":
            return self._find(labels, probabilities, *options)
        return Detection(probabilities.argmax(1) != labels, 1 - probabilities[np.arange(len(labels)), labels])

    def write(self, path: Path, measured: Measurement) -> None:
        """Write labels and probabilities for detection elsewhere."""
        labels, probabilities = self.arguments
        np.savez(path, given=labels, true=measured.samples["true_label"], probabilities=probabilities)


def _trial(bench: Bench, epochs: int | None = None) -> Trial:
    recipe = bench.recipe("small-cnn")
    if bench.tiny or bench.data_dir is None:
        size, count = (8, 40) if bench.tiny else (28, 60_000)
        dataset = Component.of(
            "noisebench.data.noise:noise", count=count, channels=1, height=size, width=size
        )
    else:
        dataset = Component.of("MNIST", samples=None)
    return Trial(
        dataset=dataset,
        corruption=Component.of("uniform", rate=0.2, exact=False),
        loss=Component.of("CE", delay=0),
        detector=Component.of("confident-learning", folds=FOLDS, prune="both"),
        training=replace(recipe, epochs=epochs or (1 if bench.tiny else recipe.epochs)),
        dynamics=False,
        seed=0,
    )
