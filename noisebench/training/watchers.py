"""Observers of training batches that do not wait for the device."""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from noisebench.data.datasets import Labels
from noisebench.errors import InputError
from noisebench.science import dynamics
from noisebench.science.aum import MarginAccumulator
from noisebench.science.aum_package import PackageMarginAccumulator

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


class Watcher(Protocol):
    """Sees every training batch's logits [B, K], targets [B] and sample indices [B]."""

    def __call__(self, epoch: int, logits: Tensor, targets: Tensor, indices: Tensor) -> None:
        """Observe one batch."""

    def state(self) -> dict[str, Tensor] | None:
        """Return the state for a checkpoint; None if it cannot be checkpointed."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from the result of `state`."""

    def result(self) -> dict[str, Tensor]:
        """Return the observations, on the CPU."""


class EpochWatcher(Protocol):
    """Sees the model after every epoch."""

    def after_epoch(self, epoch: int, model: nn.Module) -> None:
        """Observe the model; it may be left in evaluation mode."""

    def state(self) -> dict[str, Tensor]:
        """Return the state for a checkpoint."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from the result of `state`."""

    def result(self) -> dict[str, Tensor]:
        """Return the observations, on the CPU."""


class MarginWatcher:
    """Margins for AUM from epoch `skip` on, and the last epoch's probabilities of the true classes."""

    def __init__(
        self, samples: int, classes: int, skip: int, epochs: int, implementation: str, device: torch.device
    ) -> None:
        accumulator = MarginAccumulator if implementation == "noisebench" else PackageMarginAccumulator
        self._accumulator = accumulator(samples, device)
        self._classes, self._skip, self._last = classes, skip, epochs - 1
        self._probabilities = torch.zeros(samples, classes, device=device)

    def __call__(self, epoch: int, logits: Tensor, targets: Tensor, indices: Tensor) -> None:
        """Observe one batch."""
        if epoch >= self._skip:
            self._accumulator.update(logits, targets, indices)
        if epoch == self._last:
            self._probabilities[indices] = logits[:, : self._classes].float().softmax(1)

    def result(self) -> dict[str, Tensor]:
        """Return AUMs float64 [N] with probabilities [N, K] of the last epoch, on the CPU."""
        return {"margins": self._accumulator.mean().cpu(), "probabilities": self._probabilities.cpu()}

    def state(self) -> dict[str, Tensor] | None:
        """Return sums and counts of margins; None for the package's accumulator."""
        if not isinstance(self._accumulator, MarginAccumulator):
            return None
        return {"sums": self._accumulator.sums, "counts": self._accumulator.counts}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from the result of `state`."""
        assert isinstance(self._accumulator, MarginAccumulator)
        self._accumulator.sums.copy_(state["sums"])
        self._accumulator.counts.copy_(state["counts"])


class DynamicsWatcher:
    """Each sample's probability p of its given label in the current epoch (P2, Fig. 2 and 7)."""

    def __init__(
        self, loss: str, parameters: dict[str, Any], delay: int, wrong: Labels, device: torch.device
    ) -> None:
        self._loss, self._parameters, self._delay = loss, parameters, delay
        self._wrong = wrong.astype(bool)
        self._p = torch.full((len(wrong),), torch.nan, device=device)

    def __call__(self, epoch: int, logits: Tensor, targets: Tensor, indices: Tensor) -> None:
        """Observe one batch."""
        del epoch
        self._p[indices] = logits.float().softmax(1).gather(1, targets[:, None])[:, 0]

    def quantiles(self, epoch: int) -> dict[str, Any]:
        """Return quantiles of p and of dL/dp for wrong and right labels of the samples seen so far.

        `gradient` is missing for losses whose papers give no dL/dp; before the delay it is that of CE.
        """
        p = self._p.cpu().numpy()
        seen = ~np.isnan(p)
        p, wrong = p[seen], self._wrong[seen]
        quantiles = {"levels": list(QUANTILES), "probability": _lists(p, wrong)}
        loss = "CE" if epoch < self._delay else self._loss
        with contextlib.suppress(InputError):
            quantiles["gradient"] = _lists(dynamics.probability_gradient(loss, p, self._parameters), wrong)
        return quantiles

    def state(self) -> dict[str, Tensor]:
        """Return nothing: checkpoints are written at the end of an epoch, when its quantiles are computed."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Do nothing: there is no state."""


def _lists(values: Any, wrong: Any) -> dict[str, list[float | None]]:
    groups = dynamics.group_quantiles(values, wrong, QUANTILES)
    return {name: [float(q) for q in quantiles] for name, quantiles in groups.items()}
