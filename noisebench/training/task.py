"""The definition of a training, independent of execution modes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from noisebench.sweep.trial import Training
from noisebench.training.inputs import InputPipeline
from noisebench.training.objective import Objective

SeedFor = Callable[..., int]


class Selection(Protocol):
    """Chooses, of every batch, the samples that each fit is trained on; what it remembers is its state."""

    def choose(self, epoch: int, logits: Tensor, targets: Tensor, batch: Tensor) -> Tensor:
        """Return which samples train each fit, bool [M, B].

        From the logits [M, B, K] of this step, the targets [M, B] and the sample indices `batch` [M, B].
        """

    def objective(self, epoch: int, given: Objective) -> Objective:
        """Return the objective of `epoch`; `given` is the trial's."""

    def state(self) -> dict[str, Tensor]:
        """Return the state for a checkpoint, between epochs."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from the result of `state`."""


@dataclass(frozen=True)
class TrainingTask:
    """M fits on the images of `inputs`, each with its own samples and targets.

    `targets` int64 [M, N] and the N images are indexed by `indices` int64 [M, n], all on one device. Every
    random draw is seeded by `seed_for(purpose, fit, epoch)`; `fits` has the number of each fit. With a
    `selection` all fits see the same batches, those of the first one, and each is trained on a part of them.
    """

    inputs: InputPipeline
    targets: Tensor
    indices: Tensor
    objective: Objective
    training: Training
    fits: tuple[int, ...]
    seed_for: SeedFor
    selection: Selection | None = None

    @property
    def device(self) -> torch.device:
        """The device of the images."""
        return self.indices.device

    @property
    def samples(self) -> int:
        """The number of training samples of each fit, n."""
        return self.indices.shape[1]

    def order(self, epoch: int) -> Tensor:
        """Return the sample indices of an epoch in batch order, int64 [M, n]."""
        orders = [permutation(self.samples, self.seed_for("batches", fit, epoch)) for fit in self._drawing]
        return self.indices.gather(1, torch.stack(orders).to(self.device))

    def augmentation(self, epoch: int) -> Tensor | None:
        """Return the augmentation of an epoch's samples in batch order, int64 [M, n, 3], or None."""
        if not self.inputs.augments:
            return None
        size = self.training.batch_size
        draws = [
            self.inputs.epoch_draws(self.seed_for("augmentation", fit, epoch), self.samples, size)
            for fit in self._drawing
        ]
        return torch.stack(draws).to(self.device)

    @property
    def _drawing(self) -> tuple[int, ...]:
        """The fit whose batches each fit sees."""
        return self.fits if self.selection is None else self.fits[:1] * len(self.fits)


def permutation(length: int, seed: int) -> Tensor:
    """Return a random order of `length` samples, int64 [length], on the CPU."""
    # Drawn on the host for every device, so that the order of batches does not depend on the device.
    return torch.randperm(length, generator=torch.Generator().manual_seed(seed))
