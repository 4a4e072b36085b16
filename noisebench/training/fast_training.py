"""Training the runs of a trial side by side, as fast as their device can."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from noisebench.errors import DivergedError
from noisebench.sweep.trial import Training
from noisebench.training.fast_fit import FastFit
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import (
    BatchHook,
    EpochStatistics,
    SeedFor,
    permutation,
    set_learning_rate,
)
from noisebench.training.objective import Objective
from noisebench.training.recorded_step import RecordedStep, Step


def train_together(
    fit: FastFit,
    inputs: InputPipeline,
    targets: Tensor,
    indices: Tensor,
    objective: Objective,
    training: Training,
    seed_for: SeedFor,
    on_batch: Sequence[BatchHook] = (),
    after_epoch: Callable[[FastFit, list[EpochStatistics]], None] | None = None,
) -> list[list[EpochStatistics]]:
    """Train M runs until `training.epochs` epochs are done; return the statistics of those done here.

    `targets` [M, N] and the images of `inputs` are indexed by `indices` [M, n], all on one device. Each
    run's hook, where there are hooks, sees its batches as in `train`. Statistics are those of each run in
    each epoch, [epoch][run]. Raises DivergedError in the epoch
    in which a run's loss is not finite.
    """
    statistics = []
    with _own_stream(indices.device):
        epochs = _Epochs(fit, inputs, targets, indices, objective, training, seed_for, on_batch)
        for epoch in range(fit.epochs_done, training.epochs):
            done = epochs.train(epoch)
            fit.epochs_done = epoch + 1
            statistics.append(done)
            if after_epoch is not None:
                after_epoch(fit, done)
    return statistics


class _Epochs:
    """The epochs of one training: what stays the same from step to step."""

    def __init__(
        self,
        fit: FastFit,
        inputs: InputPipeline,
        targets: Tensor,
        indices: Tensor,
        objective: Objective,
        training: Training,
        seed_for: SeedFor,
        on_batch: Sequence[BatchHook],
    ) -> None:
        self._fit, self._inputs, self._targets, self._indices = fit, inputs, targets, indices
        self._training, self._seed_for, self._on_batch = training, seed_for, on_batch
        self._totals = torch.zeros(len(fit.runs), 2, device=indices.device, dtype=torch.float64)
        shared = (fit, inputs, targets, objective, self._totals)
        self._step = _TrainingStep(*shared, forward=fit.stack)
        # Whole batches alone have one size, which compilation and recording both need.
        whole: Step = self._step
        if fit.path.compiled:
            whole = _TrainingStep(*shared, forward=torch.compile(fit.stack, dynamic=False))
        if fit.path.graph:
            _make_recordable(fit.optimizer, indices.device)
        self._whole_step = RecordedStep(whole, fit.stack.generators) if fit.path.graph else whole

    def train(self, epoch: int) -> list[EpochStatistics]:
        """Train one epoch; one transfer to the device before it, one back after it."""
        fit, size = self._fit, self._training.batch_size
        fit.stack.train()
        set_learning_rate(fit.optimizer, self._training, epoch)
        fit.stack.seed([self._seed_for("dropout", run, epoch) for run in fit.runs])
        self._totals.zero_()
        order, draws = self._order(epoch), self._draws(epoch)
        for begin in range(0, order.shape[1], size):
            batch = order[:, begin : begin + size]
            drawn = None if draws is None else draws[:, begin : begin + size]
            step = self._whole_step if batch.shape[1] == size else self._step
            logits = step(batch, drawn, epoch)
            if self._on_batch:
                batch_targets = self._targets.gather(1, batch)
                for hook, *seen in zip(self._on_batch, logits, batch_targets, batch, strict=True):
                    hook(epoch, *seen)
        return self._statistics(epoch)

    def _order(self, epoch: int) -> Tensor:
        samples = self._indices.shape[1]
        orders = [permutation(samples, self._seed_for("batches", run, epoch)) for run in self._fit.runs]
        return self._indices.gather(1, torch.stack(orders).to(self._indices.device))

    def _draws(self, epoch: int) -> Tensor | None:
        samples, size = self._indices.shape[1], self._training.batch_size
        seeds = [self._seed_for("augmentation", run, epoch) for run in self._fit.runs]
        drawn = [self._inputs.epoch_draws(seed, samples, size) for seed in seeds]
        present = [draws for draws in drawn if draws is not None]
        return torch.stack(present).to(self._indices.device) if present else None

    def _statistics(self, epoch: int) -> list[EpochStatistics]:
        means = self._totals / self._indices.shape[1]
        if not torch.isfinite(means).all():
            raise DivergedError(epoch)
        return [EpochStatistics(epoch, loss, accuracy) for loss, accuracy in means.tolist()]


class _TrainingStep:
    """Forward, backward, update; adds each run's losses and right guesses to `totals` [M, 2]."""

    def __init__(
        self,
        fit: FastFit,
        inputs: InputPipeline,
        targets: Tensor,
        objective: Objective,
        totals: Tensor,
        *,
        forward: Callable[[Tensor], Tensor],
    ) -> None:
        self._fit, self._inputs, self._targets = fit, inputs, targets
        self._objective, self._totals, self._forward = objective, totals, forward

    def phase(self, epoch: int) -> bool:
        """Return what of an epoch changes the operations of a step."""
        return self._objective.started(epoch)

    def __call__(self, batch: Tensor, draws: Tensor | None, epoch: int) -> Tensor:
        """Train on the samples `batch` [M, B]; return the logits [M, B, K]."""
        fit, batch_targets = self._fit, self._targets.gather(1, batch)
        logits = self._forward(self._inputs.drawn_batch(batch, draws))
        losses = self._objective.per_model(logits, batch_targets, epoch)
        # A sum over the runs: what one adds is constant for the others, so each has its own gradient.
        loss, penalty = losses.mean(1).sum(), self._objective.penalty(fit.stack, epoch)
        fit.optimizer.zero_grad(set_to_none=True)
        fit.scaler.scale(loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
        fit.scaler.step(fit.optimizer)
        fit.scaler.update()
        logits = logits.detach()
        right = (logits.argmax(2) == batch_targets).sum(1)
        self._totals += torch.stack([losses.detach().sum(1), right], 1)
        return logits


@contextmanager
def _own_stream(device: torch.device) -> Iterator[None]:
    """On a GPU, do everything on one stream of our own: CUDA graphs cannot be recorded on the default one.

    cuDNN tries its kernels on the first batch, all batches but the last being of one shape.
    """
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    tuned = torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=False)
    with torch.cuda.stream(stream), tuned:
        yield
    torch.cuda.current_stream(device).wait_stream(stream)


def _make_recordable(optimizer: torch.optim.Optimizer, device: torch.device) -> None:
    """Keep on the device what changes from step to step or from epoch to epoch."""
    for group in optimizer.param_groups:
        group["lr"] = torch.zeros((), device=device)
        if "capturable" in group:
            group["capturable"] = True
