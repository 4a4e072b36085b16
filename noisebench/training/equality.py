"""How far the first steps in some modes differ from those of the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from noisebench.training.fit import start_fit
from noisebench.training.loop import train
from noisebench.training.modes import Modes
from noisebench.training.task import TrainingTask

# Bounds of the largest difference of logits in float32, of its root mean square in half precision.
FP32_BOUND, HALF_BOUND = 1e-4, 2e-2


@dataclass(frozen=True)
class Difference:
    """How far logits differ: the largest difference, and the largest root mean square of a batch's."""

    modes: Modes
    largest: float
    root_mean_square: float

    @property
    def share_of_bound(self) -> float:
        """The difference in units of its bound; modes pass up to 1."""
        if self.modes.dtype == torch.float32:
            return self.largest / FP32_BOUND
        return self.root_mean_square / HALF_BOUND


def difference(task: TrainingTask, build: Callable[[], Sequence[nn.Module]], modes: Modes) -> Difference:
    """Train the runs of `task` in some modes, and alone by the reference; compare the logits of every step.

    `build` returns the same new models at each call, one for each run.
    """
    ours = _logits(task, build(), modes)
    theirs: list[list[Tensor]] = []
    for number, model in enumerate(build()):
        part = slice(number, number + 1)
        alone = replace(task, targets=task.targets[part], indices=task.indices[part], runs=task.runs[part])
        theirs += _logits(alone, [model], Modes())
    pairs = [
        logits.float() - expected
        for run, reference in zip(ours, theirs, strict=True)
        for logits, expected in zip(run, reference, strict=True)
    ]
    # NaN compares as no difference with max() of Python, so it is kept on the tensors.
    largest = torch.stack([pair.abs().max() for pair in pairs]).max()
    return Difference(
        modes, float(largest), float(torch.stack([pair.square().mean().sqrt() for pair in pairs]).max())
    )


def _logits(task: TrainingTask, models: Sequence[nn.Module], modes: Modes) -> list[list[Tensor]]:
    kept: list[list[Tensor]] = [[] for _ in models]

    def keeper(logits: list[Tensor]) -> Callable[..., None]:
        return lambda _epoch, of_batch, *_: logits.append(of_batch.clone())

    train(start_fit(models, task, modes), task, [keeper(of_run) for of_run in kept])
    return kept
