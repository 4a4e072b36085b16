"""Images, labels, trainings to be measured; needs torch, numpy and the training half of the package alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from noisebench.catalogue.component import Component
from noisebench.data.idx import read_idx
from noisebench.science.models import build
from noisebench.sweep.identity import seed_for
from noisebench.sweep.trial import Training
from noisebench.training.fast_fit import FastFit, start_fast_fit
from noisebench.training.fast_path import FastPath
from noisebench.training.fast_training import train_together
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import predict
from noisebench.training.objective import Objective

STEPS_COMPARED = 20
CE = Component.of("CE", delay=0)

_SMALL_CNN = Training(
    model="small-cnn",
    pretrained=False,
    optimizer="adam",
    learning_rate=1e-4,
    momentum=0.0,
    weight_decay=0.0,
    schedule=Component.of("constant"),
    epochs=10,
    batch_size=64,
    augmentation="none",
    input_scale="unit",
    precision="fast",
)
# The papers' recipes for MNIST, for AUM on CIFAR, for confident learning on CIFAR; all from random weights.
RECIPES = {
    "small-cnn": _SMALL_CNN,
    "resnet-32": replace(
        _SMALL_CNN,
        model="resnet-32",
        optimizer="nesterov",
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=1e-4,
        augmentation="crop-flip",
        input_scale="normalised",
    ),
    "resnet-34": replace(_SMALL_CNN, model="resnet-34", input_scale="normalised"),
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
    found = []
    for number in numbers:
        torch.manual_seed(seeds("init", number))
        found.append(build(name, (shape[0], shape[1], shape[2]), 10).to(device))
    return found


def train_fast(
    images: Images,
    indices: Tensor,
    recipe: Training,
    path: FastPath,
    device: torch.device,
    on_batch: Sequence[Callable[..., None]] = (),
    after_epoch: Callable[..., None] | None = None,
    first_run: int = 0,
) -> FastFit:
    """Train as many models as `indices` [M, n] has rows, side by side; return them trained."""
    runs = range(first_run, first_run + len(indices))
    fit = start_fast_fit(
        models(recipe.model, images.pixels.shape[1:], runs, device), recipe, runs, device, path
    )
    pipeline = InputPipeline(images.pixels.to(device), recipe.input_scale, recipe.augmentation)
    targets = images.labels.to(device).expand(len(runs), -1)
    train_together(
        fit, pipeline, targets, indices.to(device), Objective.of(CE), recipe, seeds, on_batch, after_epoch
    )
    return fit


def fast_epoch_seconds(
    images: Images,
    recipe: Training,
    path: FastPath,
    device: torch.device,
    runs: int = 1,
    epochs: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the seconds of the fastest of some epochs over all images, for `runs` models together.

    The first epoch, in which steps are compiled and recorded, is not counted. An epoch ends with its
    statistics on the host, so the device is done.
    """
    stamps: list[float] = []
    everything = torch.arange(len(images.labels)).expand(runs, -1)
    recipe = replace(recipe, epochs=epochs + 1)
    train_fast(images, everything, recipe, path, device, after_epoch=lambda *_: stamps.append(clock()))
    return min(later - earlier for earlier, later in pairwise(stamps))


def prediction_rate(images: Images, model: str, path: FastPath, device: torch.device) -> float:
    """Return the images a second that a trained model evaluates, after a first pass."""
    few = torch.arange(min(64, len(images.labels)))[None]
    (trained,) = train_fast(images, few, replace(RECIPES[model], epochs=1), path, device).stack.alone()
    pipeline = InputPipeline(images.pixels.to(device), RECIPES[model].input_scale)
    everything = torch.arange(len(images.labels), device=device)
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        predict(trained, pipeline, everything)[0, 0].item()
        seconds.append(time.perf_counter() - begun)
    return len(everything) / seconds[-1]


def largest_differences(
    images: Images, recipe: Training, path: FastPath, device: torch.device, runs: int
) -> tuple[float, float]:
    """Compare the logits of the first steps with those of eager float32, one run at a time.

    Returns the largest difference, then the largest root mean square of a batch's differences.
    """
    recipe = replace(recipe, epochs=1)
    count = min(STEPS_COMPARED * recipe.batch_size, len(images.labels))
    samples = torch.arange(count).expand(runs, -1)
    together: list[list[Tensor]] = [[] for _ in range(runs)]
    alone: list[list[Tensor]] = [[] for _ in range(runs)]

    def keeper(logits: list[Tensor]) -> Callable[..., None]:
        return lambda _epoch, own, *_: logits.append(own.clone())

    train_fast(images, samples, recipe, path, device, [keeper(kept) for kept in together])
    for run in range(runs):
        train_fast(images, samples[:1], recipe, FastPath(), device, [keeper(alone[run])], first_run=run)
    pairs = [own - other for run in range(runs) for own, other in zip(together[run], alone[run], strict=True)]
    return (
        max(float(pair.abs().max()) for pair in pairs),
        max(float(pair.square().mean().sqrt()) for pair in pairs),
    )


class _PerSample(Dataset[tuple[Tensor, Tensor]]):
    """What a data set with a transform does: one image at a time to float in [0, 1]."""

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
    found = []
    for _ in range(epochs):
        begun = clock()
        for pixels, labels in loader:
            loss = functional.cross_entropy(model(pixels.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(clock() - begun)
    return min(found)
