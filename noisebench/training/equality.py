"""The difference between training steps in execution modes and in the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from noisebench.errors import EnvironmentFault
from noisebench.training.fit_group import start_group
from noisebench.training.loop import train
from noisebench.training.modes import Modes
from noisebench.training.task import TrainingTask

# Bounds of the difference of logits: its maximum in float32, its root mean square in half precision.
FP32_BOUND, HALF_BOUND = 1e-4, 2e-2
# Deep models with batch norm amplify rounding: the type and the memory layout alone can exceed these bounds.
# Modes may then differ FACTOR times as much as those two alone, and LARGEST_SHARE times as much as the bound.
FACTOR, LARGEST_SHARE = 2.0, 10.0


@dataclass(frozen=True)
class Difference:
    """The largest difference of logits, and the largest root mean square difference in a batch."""

    modes: Modes
    largest: float
    root_mean_square: float

    @property
    def share_of_bound(self) -> float:
        """The difference divided by its bound; modes pass up to 1, or to the result of `share_allowed`."""
        if self.modes.dtype == torch.float32:
            return self.largest / FP32_BOUND
        return self.root_mean_square / HALF_BOUND


def difference(task: TrainingTask, build: Callable[[], Sequence[nn.Module]], modes: Modes) -> Difference:
    """Train the fits of `task` in `modes`, and one by one in the reference; compare the logits of every step.

    `build` returns one new model for each fit, with the same weights at every call. Raises EnvironmentFault
    if a mode could not be used, as a graph that was not captured.
    """
    in_modes = _logits(task, build(), modes)
    in_reference: list[list[Tensor]] = []
    for number, model in enumerate(build()):
        part = slice(number, number + 1)
        alone = replace(task, targets=task.targets[part], indices=task.indices[part], fits=task.fits[part])
        in_reference += _logits(alone, [model], Modes())
    pairs = [
        logits.float() - expected
        for fit, reference in zip(in_modes, in_reference, strict=True)
        for logits, expected in zip(fit, reference, strict=True)
    ]
    # Python's max() can drop NaN; the maximum of a tensor keeps it.
    largest = torch.stack([pair.abs().max() for pair in pairs]).max()
    return Difference(
        modes, float(largest), float(torch.stack([pair.square().mean().sqrt() for pair in pairs]).max())
    )


def share_allowed(task: TrainingTask, build: Callable[[], Sequence[nn.Module]], modes: Modes) -> float:
    """Return up to which share of the bound `modes` pass for a model that amplifies rounding; at least 1.

    The measure is the difference of eager steps, one fit after another, in the type of `modes`.
    """
    plain = difference(task, build, Modes(modes.dtype, channels_last=True)).share_of_bound
    return min(LARGEST_SHARE, max(1.0, FACTOR * plain))


def _logits(task: TrainingTask, models: Sequence[nn.Module], modes: Modes) -> list[list[Tensor]]:
    collected: list[list[Tensor]] = [[] for _ in models]

    def collector(logits: list[Tensor]) -> Callable[..., None]:
        return lambda _epoch, of_batch, *_: logits.append(of_batch.clone())

    group = start_group(models, task, modes)
    train(group, task, [collector(of_fit) for of_fit in collected])
    if group.notes:
        raise EnvironmentFault(f"{modes}: {'; '.join(group.notes)}")
    return collected
