"""Models in training side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from noisebench.science.stacked import Stack
from noisebench.sweep.trial import Training
from noisebench.training.fast_path import FastPath
from noisebench.training.loop import optimizer_for


@dataclass
class FastFit:
    """Models in training side by side: what a checkpoint of them holds, with all that is needed to go on.

    Every random draw of an epoch is seeded by (purpose, run, epoch), as in a `Fit`: batches, augmentation
    and, in float32 on a CPU, dropout are those of the reference.
    """

    stack: Stack
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    path: FastPath
    runs: tuple[int, ...]
    epochs_done: int = 0

    def state(self) -> dict[str, Any]:
        """Return tensors and numbers for a checkpoint."""
        return {
            "model": self.stack.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "epochs_done": self.epochs_done,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.stack.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.epochs_done = state["epochs_done"]


def start_fast_fit(
    models: Sequence[nn.Module], training: Training, runs: Sequence[int], device: torch.device, path: FastPath
) -> FastFit:
    """Return a fit of `models`, one for each of `runs`, that has not seen an epoch."""
    stack = Stack(models, device, path.dtype, channels_last=path.channels_last)
    # The narrow exponent of float16 loses small gradients, which a scaled loss keeps.
    scaler = torch.amp.GradScaler(device.type, enabled=path.dtype == torch.float16)
    optimizer = optimizer_for(stack, training)
    if scaler.is_enabled() and isinstance(optimizer, torch.optim.SGD):
        # The scaler skips steps; were it the first one, the momentum would start from what memory held.
        for parameter in stack.parameters():
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return FastFit(stack, optimizer, scaler, path, tuple(runs))
