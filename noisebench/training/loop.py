"""Training one model on images that live on the device, by index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from noisebench.catalogue.training import SCHEDULES
from noisebench.errors import DivergedError
from noisebench.sweep.trial import Training
from noisebench.training.inputs import InputPipeline
from noisebench.training.objective import Objective

EVALUATION_BATCH = 1024

SeedFor = Callable[..., int]
BatchHook = Callable[[int, Tensor, Tensor, Tensor], None]


@dataclass(frozen=True)
class EpochStatistics:
    """Mean loss and accuracy over one epoch's training batches, as they went by."""

    epoch: int
    loss: float
    accuracy: float


@dataclass
class Fit:
    """One model in training: what a checkpoint of it holds, with all that is needed to go on.

    `run` numbers the fold or run; every random draw of an epoch is seeded by (purpose, run, epoch), so
    a fit that is picked up after any epoch ends as one that was never interrupted.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    run: int
    epochs_done: int = 0

    def state(self) -> dict[str, Any]:
        """Return tensors and numbers for a checkpoint."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epochs_done": self.epochs_done,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epochs_done = state["epochs_done"]


def start_fit(model: nn.Module, training: Training, run: int) -> Fit:
    """Return a fit of `model` that has not seen an epoch."""
    return Fit(model, optimizer_for(model, training), run)


def train(
    fit: Fit,
    inputs: InputPipeline,
    targets: Tensor,
    indices: Tensor,
    objective: Objective,
    training: Training,
    seed_for: SeedFor,
    on_batch: BatchHook | None = None,
    after_epoch: Callable[[Fit, EpochStatistics], None] | None = None,
) -> list[EpochStatistics]:
    """Train until `training.epochs` epochs are done; return the statistics of those done here.

    `targets` [N] and the images of `inputs` are indexed by `indices` [n], all on one device.
    `on_batch(epoch, logits, targets, indices)` sees every training batch. One transfer to the host an
    epoch. Raises DivergedError in the epoch whose loss is not finite.
    """
    statistics = []
    for epoch in range(fit.epochs_done, training.epochs):
        set_learning_rate(fit.optimizer, training, epoch)
        done = _train_epoch(fit, inputs, targets, indices, objective, training, seed_for, epoch, on_batch)
        fit.epochs_done = epoch + 1
        statistics.append(done)
        if after_epoch is not None:
            after_epoch(fit, done)
    return statistics


def _train_epoch(
    fit: Fit,
    inputs: InputPipeline,
    targets: Tensor,
    indices: Tensor,
    objective: Objective,
    training: Training,
    seed_for: SeedFor,
    epoch: int,
    on_batch: BatchHook | None,
) -> EpochStatistics:
    fit.model.train()
    order = indices[permutation(len(indices), seed_for("batches", fit.run, epoch)).to(indices.device)]
    inputs.seed_augmentation(seed_for("augmentation", fit.run, epoch))
    torch.manual_seed(seed_for("dropout", fit.run, epoch))
    totals = torch.zeros(2, device=indices.device, dtype=torch.float64)
    for batch in torch.split(order, training.batch_size):
        batch_targets = targets[batch]
        logits = fit.model(inputs.training_batch(batch))
        losses = objective.per_sample(logits, batch_targets, epoch)
        loss, penalty = losses.mean(), objective.penalty(fit.model, epoch)
        fit.optimizer.zero_grad(set_to_none=True)
        (loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
        fit.optimizer.step()
        logits = logits.detach()
        totals += torch.stack([losses.detach().sum(), (logits.argmax(1) == batch_targets).sum()])
        if on_batch is not None:
            on_batch(epoch, logits, batch_targets, batch)
    loss_sum, correct = totals.tolist()
    mean_loss = loss_sum / len(indices)
    if not torch.isfinite(torch.tensor(mean_loss)):
        raise DivergedError(epoch)
    return EpochStatistics(epoch, mean_loss, correct / len(indices))


@torch.no_grad()
def predict(model: nn.Module, inputs: InputPipeline, indices: Tensor) -> Tensor:
    """Return the logits [n, K] of the samples at `indices`, the model in evaluation mode."""
    model.eval()
    return torch.cat([model(inputs.plain_batch(batch)) for batch in torch.split(indices, EVALUATION_BATCH)])


def permutation(length: int, seed: int) -> Tensor:
    """Return the order in which an epoch sees `length` samples, int64 [length], on the CPU."""
    # Drawn on the host whatever the device, so that a device does not change the order of batches.
    return torch.randperm(length, generator=torch.Generator().manual_seed(seed))


def optimizer_for(model: nn.Module, training: Training) -> torch.optim.Optimizer:
    """Return the optimizer that a trial's training asks for."""
    if training.optimizer == "adam":
        return torch.optim.Adam(
            model.parameters(), training.learning_rate, weight_decay=training.weight_decay, fused=True
        )
    return torch.optim.SGD(
        model.parameters(),
        training.learning_rate,
        momentum=training.momentum,
        weight_decay=training.weight_decay,
        nesterov=training.optimizer == "nesterov",
        fused=True,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, training: Training, epoch: int) -> None:
    """Give the optimizer the learning rate of `epoch`; a rate that is a tensor keeps its place."""
    factor = SCHEDULES[training.schedule.name].load()(epoch, **training.schedule.without())
    rate = training.learning_rate * factor
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
