"""One training step of all fits: forward, backward, update."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from noisebench.training.fit_group import Branch, FitGroup
from noisebench.training.objective import Objective
from noisebench.training.streams import branch_streams, run_side_by_side
from noisebench.training.task import TrainingTask


class Step(Protocol):
    """One step on the samples `batch` [M, B], augmented by `draws` [M, B, 3] unless None.

    `pixels` [M * B, C, H, W]: their images, if these were read ahead.
    """

    def __call__(
        self, batch: Tensor, draws: Tensor | None, epoch: int, pixels: Tensor | None = None
    ) -> Tensor:
        """Train; return the logits [M, B, K] of the forward pass."""

    def phase(self, epoch: int) -> bool:
        """Return a value that changes when the operations of a step change."""


class EagerStep:
    """Launches each operation separately; adds losses and right predictions to `totals` [M, 2].

    On a GPU each of several branches runs on its own stream; on a CPU they run one after another.
    """

    def __init__(
        self, group: FitGroup, task: TrainingTask, totals: Tensor, *, compiled: bool = False
    ) -> None:
        self._objective = task.objective
        self._branches, begin = [], 0
        for branch in group.branches:
            fits = slice(begin, begin + branch.stack.size)
            self._branches.append(_BranchStep(branch, task, fits, totals[fits], compiled=compiled))
            begin = fits.stop
        self._streams = branch_streams(task.device, len(self._branches))

    def phase(self, epoch: int) -> bool:
        """Return a value that changes when the operations of a step change."""
        return self._objective.started(epoch)

    def __call__(
        self, batch: Tensor, draws: Tensor | None, epoch: int, pixels: Tensor | None = None
    ) -> Tensor:
        """Train; return the logits [M, B, K] of the forward pass."""
        logits = run_side_by_side(
            [partial(step, batch, draws, epoch, pixels) for step in self._branches], self._streams
        )
        return logits[0] if len(logits) == 1 else torch.cat(logits)


class _BranchStep:
    """The part of a step on one branch."""

    def __init__(
        self, branch: Branch, task: TrainingTask, fits: slice, totals: Tensor, *, compiled: bool
    ) -> None:
        self._branch, self._fits, self._totals = branch, fits, totals
        self._inputs, self._objective = task.inputs, task.objective
        self._targets = task.targets[fits]
        stack: Callable[[Tensor], Tensor] = branch.stack
        self._forward = torch.compile(stack, dynamic=False) if compiled else stack

    def __call__(
        self, batch: Tensor, draws: Tensor | None, epoch: int, pixels: Tensor | None = None
    ) -> Tensor:
        branch, part = self._branch, _of_fits(self._fits, draws, pixels, batch.shape[1])
        batch = batch[self._fits]
        targets = self._targets.gather(1, batch)
        images = self._inputs.drawn_batch(batch, *part)
        logits = self._forward(images)
        losses = self._objective.per_model(logits, targets, epoch)
        # Summed over the fits: no fit's parameters affect another fit's loss, so gradients stay separate.
        loss, penalty = losses.mean(1).sum(), self._objective.penalty(branch.stack, epoch)
        branch.optimizer.zero_grad(set_to_none=True)
        branch.scaler.scale(loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
        branch.scaler.step(branch.optimizer)
        branch.scaler.update()
        logits = logits.detach()
        right = (logits.argmax(2) == targets).sum(1)
        self._totals += torch.stack([losses.detach().sum(1), right], 1)
        return logits


class SelectiveStep:
    """An eager step in which the task's selection chooses the samples that each fit is trained on.

    Each fit is a branch. All fits go forward, one after another, before samples are chosen; a fit's loss is
    the mean over its samples. A loss that depends on its batch is computed on the whole batch.
    """

    def __init__(self, group: FitGroup, task: TrainingTask, totals: Tensor) -> None:
        self._branches, self._task, self._totals = group.branches, task, totals

    def phase(self, epoch: int) -> bool:
        """Return a value that changes when the operations of a step change."""
        return self._task.objective.started(epoch)

    def __call__(
        self, batch: Tensor, draws: Tensor | None, epoch: int, pixels: Tensor | None = None
    ) -> Tensor:
        """Train; return the logits [M, B, K] of the forward pass."""
        task = self._task
        assert task.selection is not None
        targets = task.targets.gather(1, batch)
        logits = torch.cat([self._forward(fit, batch, draws, pixels) for fit in range(len(batch))])
        objective = task.selection.objective(epoch, task.objective)
        losses = objective.per_model(logits, targets, epoch)
        chosen = task.selection.choose(epoch, logits.detach(), targets, batch)
        means = torch.where(chosen, losses, 0).sum(1) / chosen.sum(1).clamp(min=1)
        self._update(means, objective, epoch)
        logits = logits.detach()
        self._totals += torch.stack([losses.detach().sum(1), (logits.argmax(2) == targets).sum(1)], 1)
        return logits

    def _forward(self, fit: int, batch: Tensor, draws: Tensor | None, pixels: Tensor | None) -> Tensor:
        fits = slice(fit, fit + 1)
        part = _of_fits(fits, draws, pixels, batch.shape[1])
        images = self._task.inputs.drawn_batch(batch[fits], *part)
        logits: Tensor = self._branches[fit].stack(images)
        return logits

    def _update(self, means: Tensor, objective: Objective, epoch: int) -> None:
        scaled = []
        for branch, loss in zip(self._branches, means, strict=True):
            penalty = objective.penalty(branch.stack, epoch)
            branch.optimizer.zero_grad(set_to_none=True)
            scaled.append(branch.scaler.scale(loss if penalty is None else loss + penalty))
        # One pass backward: no fit's parameters affect another fit's loss, so gradients stay separate.
        torch.stack(scaled).sum().backward()  # type: ignore[no-untyped-call]
        for branch in self._branches:
            branch.scaler.step(branch.optimizer)
            branch.scaler.update()


def _of_fits(
    fits: slice, draws: Tensor | None, pixels: Tensor | None, size: int
) -> tuple[Tensor | None, Tensor | None]:
    """Return the draws [m, B, 3] and the pixels [m * B, C, H, W] of some of the fits; `size` is B."""
    return (
        None if draws is None else draws[fits],
        None if pixels is None else pixels[fits.start * size : fits.stop * size],
    )
