"""Traces: what is seen of each sample in each epoch, in passing or after the epoch.

The two kinds differ. In passing, a sample is seen at its training step: in training mode with dropout and
augmentation, on the weights of that step. After the epoch, all samples are seen in evaluation mode, without
augmentation, on the same weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from noisebench.science.evidence import AFTER_EPOCH, IN_PASSING
from noisebench.science.log_probability import full_precision
from noisebench.science.stacked import last_layer_inputs
from noisebench.training.loop import EVALUATION_BATCH
from noisebench.training.surrogate import Surrogate

_SQUARED_NORMS = "squared_norms"
# Samples whose values are computed at once.
_TRACED_TOGETHER = 4096


class TraceWatcher:
    """Traces in passing of the values `names`, and each sample's most probable class in the last epoch."""

    def __init__(self, samples: int, epochs: int, names: Sequence[str], device: torch.device) -> None:
        self._names = tuple(names)
        self._traces = _empty(samples, epochs, names, device)
        self._last = torch.zeros(samples, dtype=torch.int64, device=device)
        # Batches of one epoch that were seen but not traced yet.
        self._seen: list[tuple[Tensor, Tensor, Tensor]] = []
        self._epoch = 0

    def __call__(self, epoch: int, logits: Tensor, targets: Tensor, indices: Tensor) -> None:
        """Observe one batch."""
        if epoch != self._epoch:
            self._trace()
            self._epoch = epoch
        # Traced together: for a small batch, each operation costs more than its arithmetic. A copy, since a
        # captured step writes its next logits into the same memory.
        self._seen.append((logits.clone(), targets, indices))
        if len(self._seen) * len(indices) >= _TRACED_TOGETHER:
            self._trace()

    def result(self) -> dict[str, Tensor]:
        """Return the traces [N, E] and the last epoch's most probable class [N], on the CPU."""
        self._trace()
        traces = {f"{IN_PASSING}.{name}": trace.cpu() for name, trace in self._traces.items()}
        return {**traces, "predicted": self._last.cpu()}

    def state(self) -> dict[str, Tensor]:
        """Return the traces so far."""
        self._trace()
        return {**self._traces, "last": self._last}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from the result of `state`."""
        self._last.copy_(state["last"])
        for name, trace in self._traces.items():
            trace.copy_(state[name])

    def _trace(self) -> None:
        if not self._seen:
            return
        logits, targets, indices = (torch.cat(parts) for parts in zip(*self._seen, strict=True))
        self._seen.clear()
        for name in self._names:
            self._traces[name][indices, self._epoch] = _VALUES[name](logits, targets)
        self._last[indices] = logits.argmax(1)


class EpochTraces:
    """Traces after each epoch of the values `names`, of all training samples."""

    def __init__(self, surrogate: Surrogate, epochs: int, names: Sequence[str]) -> None:
        samples = len(surrogate.training_targets)
        self._inputs = surrogate.training
        self._targets = surrogate.on_device(surrogate.training_targets)
        self._indices = surrogate.on_device(np.arange(samples))
        self._traces = _empty(samples, epochs, names, surrogate.device)

    @torch.no_grad()
    def after_epoch(self, epoch: int, model: nn.Module) -> None:
        """Observe all samples; `model` is left in evaluation mode."""
        model.eval()
        batches = torch.split(self._indices, EVALUATION_BATCH)
        for batch, pixels in zip(batches, self._inputs.read_ahead(batches), strict=True):
            with last_layer_inputs(model) as features:
                logits = model(self._inputs.plain_batch(batch, pixels))
            for name, trace in self._traces.items():
                if name == _SQUARED_NORMS:
                    trace[batch, epoch] = features[0].float().square().sum(1)
                else:
                    trace[batch, epoch] = _VALUES[name](logits, self._targets[batch])

    def result(self) -> dict[str, Tensor]:
        """Return the traces [N, E], on the CPU."""
        return {f"{AFTER_EPOCH}.{name}": trace.cpu() for name, trace in self._traces.items()}

    def state(self) -> dict[str, Tensor]:
        """Return the traces so far, under the names of `result`."""
        return {f"{AFTER_EPOCH}.{name}": trace for name, trace in self._traces.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from the result of `state`."""
        for name, trace in self._traces.items():
            trace.copy_(state[f"{AFTER_EPOCH}.{name}"])


def _losses(logits: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(logits.float(), targets, reduction="none")


def _margins(logits: Tensor, targets: Tensor) -> Tensor:
    z, column = full_precision(logits), targets.unsqueeze(1)
    return (z.gather(1, column).squeeze(1) - z.scatter(1, column, -torch.inf).amax(dim=1)).float()


def _predicted(logits: Tensor, targets: Tensor) -> Tensor:
    del targets
    return logits.argmax(1).to(torch.int16)


def _squared_errors(logits: Tensor, targets: Tensor) -> Tensor:
    errors, column = logits.float().softmax(1), targets.unsqueeze(1)
    errors.scatter_(1, column, errors.gather(1, column) - 1)
    return errors.square_().sum(1)


_VALUES = {
    "losses": _losses,
    "margins": _margins,
    "predicted": _predicted,
    "squared_errors": _squared_errors,
}


def _empty(samples: int, epochs: int, names: Sequence[str], device: torch.device) -> dict[str, Tensor]:
    kinds = {name: torch.int16 if name == "predicted" else torch.float32 for name in names}
    return {name: torch.zeros(samples, epochs, dtype=kind, device=device) for name, kind in kinds.items()}
