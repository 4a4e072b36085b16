"""What training minimises: the trial's loss with its delay, ANL's L1 term beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from noisebench.catalogue.component import Component
from noisebench.errors import InputError
from noisebench.science.losses import LOSSES
from noisebench.sweep import reference

PerSample = Callable[[Tensor, Tensor], Tensor]

# Not arguments of the loss itself.
OUTSIDE = ("delay", "delta", "source")
# Losses that look at a batch as a whole.
BATCHWISE = ("Curriculum",)


@dataclass(frozen=True)
class Objective:
    """A loss that starts after `delay` epochs of CE (P2 eq. 6), with `delta` times sum |theta| (ANL)."""

    name: str
    loss: PerSample
    delay: int
    delta: float

    @classmethod
    def of(cls, loss: Component) -> Objective:
        """Build the objective of a trial's loss, a user's own function included."""
        own = reference.is_reference(loss.name)
        function = reference.load(loss.name) if own else LOSSES[loss.name]
        bound = partial(function, **loss.without(*OUTSIDE))
        return cls(loss.name, bound, loss["delay"], 0.0 if own else loss.get("delta", 0.0))

    def per_sample(self, logits: Tensor, targets: Tensor, epoch: int) -> Tensor:
        """Return the loss [N] of each sample in `epoch`, counted from 0."""
        if not self.started(epoch):
            return LOSSES["CE"](logits, targets)
        losses = self.loss(logits, targets)
        if losses.shape != targets.shape:
            raise InputError(
                f"loss {self.name} returned shape {list(losses.shape)} for {len(targets)} samples; "
                f"it must return one loss a sample, [{len(targets)}]"
            )
        return losses

    def per_model(self, logits: Tensor, targets: Tensor, epoch: int) -> Tensor:
        """Return the loss [M, B] of each sample of M models' batches, from logits [M, B, K]."""
        if self._by_batch:
            rows = zip(logits, targets, strict=True)
            return torch.stack([self.per_sample(own, labels, epoch) for own, labels in rows])
        return self.per_sample(logits.flatten(0, 1), targets.flatten(), epoch).view(targets.shape)

    def started(self, epoch: int) -> bool:
        """Whether the loss itself is trained in `epoch`, not CE in its place."""
        return epoch >= self.delay

    @property
    def _by_batch(self) -> bool:
        """Whether a sample's loss may depend on the batch it stands in."""
        return self.name in BATCHWISE or reference.is_reference(self.name)

    def penalty(self, model: nn.Module, epoch: int) -> Tensor | None:
        """Return delta times the L1 norm of all parameters, or None where this loss has none."""
        if self.delta == 0 or not self.started(epoch):
            return None
        norms = torch.stack([parameter.abs().sum() for parameter in model.parameters()])
        return self.delta * norms.sum()
