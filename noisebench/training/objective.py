"""The training objective: a trial's loss with its delay, and ANL's L1 term."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from noisebench.catalogue.component import Component
from noisebench.catalogue.losses import LOSSES
from noisebench.errors import InputError
from noisebench.science.losses import cross_entropy
from noisebench.sweep import reference

PerSample = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """A loss that starts after `delay` epochs of CE (P2 eq. 6), plus `delta` times sum |theta| (ANL).

    `batchwise`: a sample's loss may depend on the rest of its batch.
    """

    name: str
    loss: PerSample
    delay: int
    delta: float
    batchwise: bool

    @classmethod
    def of(cls, loss: Component) -> Objective:
        """Build the objective of a trial's loss: one of the catalogue or a user's function."""
        if reference.is_reference(loss.name):
            user_loss = reference.load(loss.name, loss.get("source"))
            function = partial(user_loss, **loss.without("delay", "source"))
            return cls(loss.name, function, loss["delay"], 0.0, batchwise=True)
        descriptor = LOSSES[loss.name]
        l1 = descriptor.l1
        function = partial(descriptor.load(), **loss.without("delay", *([l1] if l1 else [])))
        return cls(loss.name, function, loss["delay"], loss[l1] if l1 else 0.0, descriptor.batchwise)

    def per_sample(self, logits: Tensor, targets: Tensor, epoch: int) -> Tensor:
        """Return the loss [N] of each sample in `epoch`, counted from 0."""
        if not self.started(epoch):
            return cross_entropy(logits, targets)
        losses = self.loss(logits, targets)
        if losses.shape != targets.shape:
            raise InputError(
                f"loss {self.name} returned shape {list(losses.shape)} for {len(targets)} samples; "
                f"it must return one loss a sample, [{len(targets)}]"
            )
        return losses

    def per_model(self, logits: Tensor, targets: Tensor, epoch: int) -> Tensor:
        """Return the loss [M, B] of each sample of M models' batches, from logits [M, B, K]."""
        if self.batchwise:
            rows = zip(logits, targets, strict=True)
            return torch.stack([self.per_sample(of_model, labels, epoch) for of_model, labels in rows])
        return self.per_sample(logits.flatten(0, 1), targets.flatten(), epoch).view(targets.shape)

    def started(self, epoch: int) -> bool:
        """Whether `epoch` trains the loss itself, not CE."""
        return epoch >= self.delay

    def penalty(self, model: nn.Module, epoch: int) -> Tensor | None:
        """Return delta times the L1 norm of all parameters, or None if it does not apply in `epoch`."""
        if self.delta == 0 or not self.started(epoch):
            return None
        norms = torch.stack([parameter.abs().sum() for parameter in model.parameters()])
        return self.delta * norms.sum()
