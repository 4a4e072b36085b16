"""Models in training, with their optimizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from noisebench.catalogue.training import SCHEDULES
from noisebench.science.stacked import Stack
from noisebench.sweep.trial import Training
from noisebench.training.modes import Modes
from noisebench.training.task import TrainingTask


@dataclass
class Branch:
    """Models that share a forward pass, an optimizer and a loss scale."""

    stack: Stack
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler

    def state(self) -> dict[str, Any]:
        """Return tensors and numbers for a checkpoint."""
        return {
            "model": self.stack.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from the result of `state`."""
        self.stack.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        for group in self.optimizer.param_groups:
            # A captured step keeps its rate on the device; the next training creates a new one.
            group["lr"] = float(group["lr"])
            if "capturable" in group:
                group["capturable"] = False


@dataclass
class FitGroup:
    """The models of M fits that are trained together; a checkpoint holds its `state`.

    If the models are grouped, one branch holds all of them, else each branch holds one. Every random draw
    of an epoch is seeded by (purpose, fit, epoch), so a group that resumes after any epoch gives the same
    result as an uninterrupted one. `notes` says which modes could not be used, and why.
    """

    branches: tuple[Branch, ...]
    modes: Modes
    epochs_done: int = 0
    notes: list[str] = field(default_factory=list)

    def models(self) -> list[nn.Module]:
        """Return the current models in the order of the fits; grouped models are copied."""
        return [model for branch in self.branches for model in branch.stack.alone()]

    def state(self) -> dict[str, Any]:
        """Return tensors, numbers and text for a checkpoint."""
        return {
            "kind": self._kind(),
            "branches": [branch.state() for branch in self.branches],
            "epochs_done": self.epochs_done,
        }

    def accepts(self, state: dict[str, Any]) -> bool:
        """Whether `state` comes from a group in the same modes, so that `restore` accepts it."""
        return state.get("kind") == self._kind() and len(state["branches"]) == len(self.branches)

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state that `accepts` allows."""
        for branch, of_branch in zip(self.branches, state["branches"], strict=True):
            branch.restore(of_branch)
        self.epochs_done = state["epochs_done"]

    def _kind(self) -> str:
        # A captured step computes the same as an eager step.
        return str(replace(self.modes, graph=False))


def start_group(models: Sequence[nn.Module], task: TrainingTask, modes: Modes) -> FitGroup:
    """Return an untrained group of `models`, one for each fit of `task`."""
    groups = [models] if modes.grouped else [[model] for model in models]
    return FitGroup(tuple(_branch(group, task, modes) for group in groups), modes)


def _branch(models: Sequence[nn.Module], task: TrainingTask, modes: Modes) -> Branch:
    stack = Stack(
        models,
        task.device,
        modes.dtype,
        channels_last=modes.channels_last,
        pixelwise_masks=task.inputs.augments,
    )
    # float16 rounds small gradients to zero; scaling the loss keeps them.
    scaler = torch.amp.GradScaler(task.device.type, enabled=modes.dtype == torch.float16)
    optimizer = optimizer_for(stack, task.training)
    if scaler.is_enabled() and isinstance(optimizer, torch.optim.SGD):
        # If the scaler skips the first step, the momentum would start from uninitialised memory.
        for parameter in stack.parameters():
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return Branch(stack, optimizer, scaler)


def optimizer_for(model: nn.Module, training: Training) -> torch.optim.Optimizer:
    """Return the optimizer of a trial's training."""
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
    """Set the learning rate of `epoch`; a rate that is a tensor is filled in place."""
    schedule = training.schedule
    rate = training.learning_rate * SCHEDULES[schedule.name].load()(epoch, **schedule.without())
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def make_capturable(optimizer: torch.optim.Optimizer, device: torch.device) -> None:
    """Keep on the device the values that change between steps or epochs."""
    for group in optimizer.param_groups:
        group["lr"] = torch.zeros((), device=device)
        if "capturable" in group:
            group["capturable"] = True
