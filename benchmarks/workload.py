"""Images, labels and trainings to be measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from noisebench.catalogue.component import Component
from noisebench.catalogue.training import CIFAR_10_RECIPE, MNIST_RECIPE
from noisebench.data.idx import read_idx
from noisebench.science.models import build
from noisebench.sweep.identity import seed_for
from noisebench.sweep.trial import Training
from noisebench.training.fit_group import start_group
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import predict, train
from noisebench.training.modes import Modes
from noisebench.training.objective import Objective
from noisebench.training.task import TrainingTask

CE = Component.of("CE", delay=0)


def _recipe(fields: Mapping[str, Any]) -> Training:
    return Training(**{**fields, "pretrained": False, "precision": "fast"})


# The papers' recipes for MNIST, for AUM on CIFAR, for confident learning on CIFAR; all from random weights.
RECIPES = {
    "small-cnn": _recipe(MNIST_RECIPE.training),
    "resnet-32": _recipe(CIFAR_10_RECIPE.training_for("aum")),
    "resnet-34": _recipe(CIFAR_10_RECIPE.training),
}


@dataclass(frozen=True)
class Images:
    """Images uint8 [N, C, H, W] with labels int64 [N]; `source` says what they are."""

    pixels: Tensor
    labels: Tensor
    source: str


def mnist(data_dir: Path | None, samples: int) -> Images:
    """Return the first training images of MNIST, seeded noise of that shape without its files."""
    if data_dir is None:
        return noise((1, 28, 28), samples)
    raw = data_dir / "MNIST" / "raw"
    pixels, labels = read_idx(raw / "train-images-idx3-ubyte"), read_idx(raw / "train-labels-idx1-ubyte")
    chosen = torch.from_numpy(pixels[:samples].copy())[:, None]
    return Images(chosen, torch.from_numpy(labels[:samples].astype("int64")), "MNIST")


def noise(shape: tuple[int, int, int], samples: int) -> Images:
    """Return seeded noise with random labels."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (samples, *shape), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 10, (samples,), generator=generator)
    return Images(pixels, labels, f"seeded noise {'x'.join(map(str, shape))}")


def seeds(purpose: str, *parts: int) -> int:
    """Return the seed of one named source of randomness."""
    return seed_for({"dataset": {"name": "benchmark"}, "seed": 0}, purpose, *parts)


def models(name: str, shape: Sequence[int], numbers: Iterable[int], device: torch.device) -> list[nn.Module]:
    """Return models for ten classes, each from the seed of its number."""
    built = []
    for number in numbers:
        torch.manual_seed(seeds("init", number))
        built.append(build(name, (shape[0], shape[1], shape[2]), 10).to(device))
    return built


def task_of(images: Images, recipe: Training, device: torch.device, fits: int) -> TrainingTask:
    """Return the training of some models, each on all images."""
    return TrainingTask(
        inputs=InputPipeline(images.pixels.to(device), recipe.input_scale, recipe.augmentation),
        targets=images.labels.to(device).expand(fits, -1),
        indices=torch.arange(len(images.labels), device=device).expand(fits, -1),
        objective=Objective.of(CE),
        training=recipe,
        fits=tuple(range(fits)),
        seed_for=seeds,
    )


def epoch_ends(
    task: TrainingTask, modes: Modes, epochs: int = 3, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Train one epoch, in which steps are compiled and captured, then `epochs` more; return when each ended.

    An epoch ends with its statistics on the host, so the device is done.
    """
    ends: list[float] = []
    task = replace(task, training=replace(task.training, epochs=epochs + 1))
    shape, name = task.inputs.images.shape[1:], task.training.model
    group = start_group(models(name, shape, task.fits, task.device), task, modes)
    train(group, task, after_epoch=lambda *_: ends.append(clock()))
    if group.notes:
        raise RuntimeError("; ".join(group.notes))
    return ends


def epoch_seconds(
    task: TrainingTask, modes: Modes, epochs: int = 3, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the seconds of the fastest of some epochs, for all fits of the task together."""
    return min(later - earlier for earlier, later in pairwise(epoch_ends(task, modes, epochs, clock)))


def training_rate(task: TrainingTask, modes: Modes, epochs: int = 3) -> float:
    """Return images a second in training, over all fits of the task together."""
    return len(task.fits) * task.samples / epoch_seconds(task, modes, epochs)


def prediction_rate(task: TrainingTask, modes: Modes) -> float:
    """Return the images a second that one model evaluates, after a first pass."""
    task = replace(task, targets=task.targets[:1], indices=task.indices[:1], fits=task.fits[:1])
    shape, name = task.inputs.images.shape[1:], task.training.model
    plain = replace(modes, graph=False, compiled=False)
    (model,) = start_group(models(name, shape, [0], task.device), task, plain).models()
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        predict(model, task.inputs, task.indices[0])[0, 0].item()
        seconds.append(time.perf_counter() - began)
    return task.samples / seconds[-1]


class _PerSample(Dataset[tuple[Tensor, Tensor]]):
    """One image at a time, converted to float in [0, 1], as a data set with a transform does."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self._images.pixels[index].float().div(255), self._images.labels[index]


def usual_epoch_seconds(
    images: Images,
    recipe: Training,
    device: torch.device,
    workers: int = 0,
    epochs: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the seconds of the fastest epoch of the usual loop.

    A DataLoader, a transform for each sample, eager float32.
    """
    (model,) = models(recipe.model, images.pixels.shape[1:], [0], device)
    optimizer = torch.optim.Adam(model.parameters(), recipe.learning_rate)
    loader = DataLoader(
        _PerSample(images),
        recipe.batch_size,
        shuffle=True,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
    )
    seconds = []
    for _ in range(epochs):
        began = clock()
        for pixels, labels in loader:
            loss = functional.cross_entropy(model(pixels.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(clock() - began)
    return min(seconds)
