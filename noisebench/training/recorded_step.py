"""A training step recorded as a CUDA graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

# Libraries choose their kernels, optimizers make their state in the first steps, which no graph may hold.
STEPS_BEFORE_RECORDING = 3


class Step(Protocol):
    """One step on the samples `batch` [M, B], augmented by `draws` [M, B, 3] where there are any."""

    def __call__(self, batch: Tensor, draws: Tensor | None, epoch: int) -> Tensor:
        """Train; return the logits [M, B, K] that led to the loss."""

    def phase(self, epoch: int) -> bool:
        """Return what of an epoch changes the operations of a step."""


@dataclass(frozen=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    batch: Tensor
    draws: Tensor | None
    logits: Tensor


class RecordedStep:
    """A step on batches of one size: run as it is at first, then recorded, from then on replayed.

    The first runs are real ones, so nothing has to be undone. All has to happen on one stream that is not
    the default one.
    """

    def __init__(self, step: Step, generators: Sequence[torch.Generator]) -> None:
        self._step = step
        self._generators = generators
        self._steps_seen: Counter[bool] = Counter()
        self._recordings: dict[bool, _Recording] = {}

    def __call__(self, batch: Tensor, draws: Tensor | None, epoch: int) -> Tensor:
        """Train; return the logits [M, B, K] that led to the loss."""
        phase = self._step.phase(epoch)
        self._steps_seen[phase] += 1
        if self._steps_seen[phase] <= STEPS_BEFORE_RECORDING:
            return self._step(batch, draws, epoch)
        if phase not in self._recordings:
            self._recordings[phase] = self._record(batch, draws, epoch)
        recording = self._recordings[phase]
        recording.batch.copy_(batch)
        if recording.draws is not None and draws is not None:
            recording.draws.copy_(draws)
        recording.graph.replay()
        return recording.logits.clone()  # the next step writes there

    def _record(self, batch: Tensor, draws: Tensor | None, epoch: int) -> _Recording:
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        batch, draws = batch.clone(), None if draws is None else draws.clone()
        with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
            logits = self._step(batch, draws, epoch)
        return _Recording(graph, batch, draws, logits)
