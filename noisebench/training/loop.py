"""The training loop, on images that stay on the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from noisebench.errors import DivergedError
from noisebench.science.stacked import active_dropout
from noisebench.training.fit_group import FitGroup, make_capturable, set_learning_rate
from noisebench.training.graph import CapturedStep
from noisebench.training.inputs import InputPipeline
from noisebench.training.step import EagerStep, SelectiveStep, Step
from noisebench.training.streams import training_stream
from noisebench.training.task import TrainingTask

EVALUATION_BATCH = 1024

# Called with the epoch and a batch's logits [B, K], targets [B] and sample indices [B] of one fit.
BatchHook = Callable[[int, Tensor, Tensor, Tensor], None]


@dataclass(frozen=True)
class EpochStatistics:
    """Mean loss and accuracy over one epoch's training batches, each at its own step."""

    epoch: int
    loss: float
    accuracy: float


# Returns whether the training is over before its last epoch.
AfterEpoch = Callable[[FitGroup, list[EpochStatistics]], bool | None]


def train(
    group: FitGroup,
    task: TrainingTask,
    hooks: Sequence[BatchHook] = (),
    after_epoch: AfterEpoch | None = None,
) -> list[list[EpochStatistics]]:
    """Train `training.epochs` epochs, fewer if `after_epoch` says so; return the statistics [epoch][fit].

    The statistics are those of the epochs trained here. `hooks` is empty or has one hook for each fit, called
    with every batch of the fit. Each epoch has one transfer to the device before it and one from the device
    after it. Raises DivergedError after the first epoch in which a fit's loss is not finite.
    """
    statistics = []
    with training_stream(task.device, group.modes):
        epochs = _Epochs(group, task, hooks)
        for epoch in range(group.epochs_done, task.training.epochs):
            of_epoch = epochs.train(epoch)
            group.epochs_done = epoch + 1
            statistics.append(of_epoch)
            if after_epoch is not None and after_epoch(group, of_epoch):
                break
    return statistics


class _Epochs:
    """The state that the epochs of one training share."""

    def __init__(self, group: FitGroup, task: TrainingTask, hooks: Sequence[BatchHook]) -> None:
        self._group, self._task, self._hooks = group, task, hooks
        self._totals = torch.zeros(len(task.fits), 2, device=task.device, dtype=torch.float64)
        self._step: Step = (
            EagerStep(group, task, self._totals)
            if task.selection is None
            else SelectiveStep(group, task, self._totals)
        )
        # Compilation and capture both need batches of one size, so a short last batch is trained eagerly.
        self._full_batch_step: Step = self._step
        if group.modes.compiled:
            self._full_batch_step = EagerStep(group, task, self._totals, compiled=True)
        if group.modes.graph:
            for branch in group.branches:
                make_capturable(branch.optimizer, task.device)
            self._full_batch_step = CapturedStep(self._full_batch_step, group)

    def train(self, epoch: int) -> list[EpochStatistics]:
        """Train one epoch."""
        task, size = self._task, self._task.training.batch_size
        self._prepare(epoch)
        batches, draws = torch.split(task.order(epoch), size, dim=1), task.augmentation(epoch)
        for number, (batch, pixels) in enumerate(zip(batches, task.inputs.read_ahead(batches), strict=True)):
            batch_draws = None if draws is None else draws[:, number * size : (number + 1) * size]
            step = self._full_batch_step if batch.shape[1] == size else self._step
            logits = step(batch, batch_draws, epoch, pixels)
            if self._hooks:
                targets = task.targets.gather(1, batch)
                for hook, *of_fit in zip(self._hooks, logits, targets, batch, strict=True):
                    hook(epoch, *of_fit)
        return self._statistics(epoch)

    def _prepare(self, epoch: int) -> None:
        seeds = [self._task.seed_for("dropout", fit, epoch) for fit in self._task.fits]
        for branch in self._group.branches:
            branch.stack.train()
            branch.stack.seed([seeds.pop(0) for _ in range(branch.stack.size)])
            set_learning_rate(branch.optimizer, self._task.training, epoch)
        self._totals.zero_()

    def _statistics(self, epoch: int) -> list[EpochStatistics]:
        means = self._totals / self._task.samples
        if not torch.isfinite(means).all():
            raise DivergedError(epoch)
        return [EpochStatistics(epoch, loss, accuracy) for loss, accuracy in means.tolist()]


@torch.no_grad()
def predict(
    model: nn.Module, inputs: InputPipeline, indices: Tensor, dropout_seed: int | None = None
) -> Tensor:
    """Return the logits [n, K] of the samples at `indices`, the model in evaluation mode.

    With `dropout_seed` its dropout is on; the masks depend on the seed and on the order of `indices` alone.
    """
    model.eval()
    with nullcontext() if dropout_seed is None else active_dropout(model, dropout_seed):
        batches = torch.split(indices, EVALUATION_BATCH)
        read = zip(batches, inputs.read_ahead(batches), strict=True)
        return torch.cat([model(inputs.plain_batch(batch, pixels)) for batch, pixels in read])
