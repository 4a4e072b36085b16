"""One training step of all runs: forward, backward, update."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from noisebench.training.fit import Branch, Fit
from noisebench.training.streams import branch_streams, run_side_by_side
from noisebench.training.task import TrainingTask


class Step(Protocol):
    """One step on the samples `batch` [M, B], augmented by `draws` [M, B, 3] unless None."""

    def __call__(self, batch: Tensor, draws: Tensor | None, epoch: int) -> Tensor:
        """Train; return the logits [M, B, K] of the forward pass."""

    def phase(self, epoch: int) -> bool:
        """Return a value that changes when the operations of a step change."""


class EagerStep:
    """Launches each operation separately; adds losses and right predictions to `totals` [M, 2].

    On a GPU each of several branches runs on its own stream; on a CPU they run one after another.
    """

    def __init__(self, fit: Fit, task: TrainingTask, totals: Tensor, *, compiled: bool = False) -> None:
        self._objective = task.objective
        self._branches, begin = [], 0
        for branch in fit.branches:
            runs = slice(begin, begin + branch.stack.size)
            self._branches.append(_BranchStep(branch, task, runs, totals[runs], compiled=compiled))
            begin = runs.stop
        self._streams = branch_streams(task.device, len(self._branches))

    def phase(self, epoch: int) -> bool:
        """Return a value that changes when the operations of a step change."""
        return self._objective.started(epoch)

    def __call__(self, batch: Tensor, draws: Tensor | None, epoch: int) -> Tensor:
        """Train; return the logits [M, B, K] of the forward pass."""
        logits = run_side_by_side(
            [partial(step, batch, draws, epoch) for step in self._branches], self._streams
        )
        return logits[0] if len(logits) == 1 else torch.cat(logits)


class _BranchStep:
    """The part of a step on one branch."""

    def __init__(
        self, branch: Branch, task: TrainingTask, runs: slice, totals: Tensor, *, compiled: bool
    ) -> None:
        self._branch, self._runs, self._totals = branch, runs, totals
        self._inputs, self._objective = task.inputs, task.objective
        self._targets = task.targets[runs]
        stack: Callable[[Tensor], Tensor] = branch.stack
        self._forward = torch.compile(stack, dynamic=False) if compiled else stack

    def __call__(self, batch: Tensor, draws: Tensor | None, epoch: int) -> Tensor:
        branch, batch = self._branch, batch[self._runs]
        targets = self._targets.gather(1, batch)
        images = self._inputs.drawn_batch(batch, None if draws is None else draws[self._runs])
        logits = self._forward(images)
        losses = self._objective.per_model(logits, targets, epoch)
        # Summed over the runs: no run's parameters affect another run's loss, so gradients stay separate.
        loss, penalty = losses.mean(1).sum(), self._objective.penalty(branch.stack, epoch)
        branch.optimizer.zero_grad(set_to_none=True)
        branch.scaler.scale(loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
        branch.scaler.step(branch.optimizer)
        branch.scaler.update()
        logits = logits.detach()
        right = (logits.argmax(2) == targets).sum(1)
        self._totals += torch.stack([losses.detach().sum(1), right], 1)
        return logits
