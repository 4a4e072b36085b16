"""A trial's training half: out-of-fold probabilities of MNIST with wrong labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.workload import Images, train_fast
from noisebench.science.corruption import uniform
from noisebench.sweep.trial import Training
from noisebench.training.fast_path import FastPath
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import predict

RATE = 0.2


@dataclass(frozen=True)
class OutOfFold:
    """Given labels int64 [N] beside the true ones, with probabilities float32 [N, K]."""

    given: npt.NDArray[np.int64]
    true: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]

    @property
    def accuracy(self) -> float:
        """The share of samples whose most probable class is the true one."""
        return float((self.probabilities.argmax(1) == self.true).mean())


def mnist_trial(
    images: Images, recipe: Training, path: FastPath, device: torch.device, folds: int
) -> OutOfFold:
    """Corrupt labels, train the folds, predict what each has not seen."""
    true = images.labels.numpy()
    given = uniform(true, 10, RATE, np.random.default_rng(0))
    shuffled = torch.from_numpy(np.random.default_rng(1).permutation(len(given)))
    held_out = torch.tensor_split(shuffled, folds)
    rests = [torch.cat([*held_out[:fold], *held_out[fold + 1 :]]) for fold in range(folds)]
    corrupted = Images(images.pixels, torch.from_numpy(given), images.source)
    groups = [torch.stack(rests)] if path.fused else [rest[None] for rest in rests]
    models = [
        model
        for group in groups
        for model in train_fast(corrupted, group, recipe, path, device).stack.alone()
    ]
    pipeline = InputPipeline(images.pixels.to(device), recipe.input_scale)
    probabilities = np.empty((len(given), 10), dtype=np.float32)
    for model, members in zip(models, held_out, strict=True):
        with torch.no_grad():
            predicted = predict(model, pipeline, members.to(device)).softmax(1)
        probabilities[members.numpy()] = predicted.cpu().numpy()
    return OutOfFold(given, true, probabilities)


def write_probabilities(path: Path, found: OutOfFold) -> None:
    """Write the arrays for detection elsewhere."""
    np.savez(path, given=found.given, true=found.true, probabilities=found.probabilities)
