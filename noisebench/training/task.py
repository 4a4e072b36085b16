"""The definition of a training, independent of execution modes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from noisebench.sweep.trial import Training
from noisebench.training.inputs import InputPipeline
from noisebench.training.objective import Objective

SeedFor = Callable[..., int]


@dataclass(frozen=True)
class TrainingTask:
    """M runs on the images of `inputs`, each with its own samples and targets.

    `targets` int64 [M, N] and the N images are indexed by `indices` int64 [M, n], all on one device. Every
    random draw is seeded by `seed_for(purpose, run, epoch)`; `runs` has the number of each run.
    """

    inputs: InputPipeline
    targets: Tensor
    indices: Tensor
    objective: Objective
    training: Training
    runs: tuple[int, ...]
    seed_for: SeedFor

    @property
    def device(self) -> torch.device:
        """The device of the images."""
        return self.indices.device

    @property
    def samples(self) -> int:
        """The number of training samples of each run, n."""
        return self.indices.shape[1]

    def order(self, epoch: int) -> Tensor:
        """Return the sample indices of an epoch in batch order, int64 [M, n]."""
        orders = [permutation(self.samples, self.seed_for("batches", run, epoch)) for run in self.runs]
        return self.indices.gather(1, torch.stack(orders).to(self.device))

    def augmentation(self, epoch: int) -> Tensor | None:
        """Return the augmentation of an epoch's samples in batch order, int64 [M, n, 3], or None."""
        if not self.inputs.augments:
            return None
        size = self.training.batch_size
        draws = [
            self.inputs.epoch_draws(self.seed_for("augmentation", run, epoch), self.samples, size)
            for run in self.runs
        ]
        return torch.stack(draws).to(self.device)


def permutation(length: int, seed: int) -> Tensor:
    """Return a random order of `length` samples, int64 [length], on the CPU."""
    # Drawn on the host for every device, so that the order of batches does not depend on the device.
    return torch.randperm(length, generator=torch.Generator().manual_seed(seed))
