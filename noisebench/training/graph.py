"""One training step captured as a CUDA graph; docs/decisions/0010 has why one, and one for each fit."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.torch_version import TorchVersion

from noisebench.training.fit_group import FitGroup
from noisebench.training.step import Step
from noisebench.training.streams import is_usable
from noisebench.training.task import TrainingTask

# In the first steps libraries choose kernels and the optimizer creates its state; neither may be captured.
STEPS_BEFORE_CAPTURE = 3
# Since torch 2.14 graphs register their generators themselves, and registering one only warns.
_REGISTERS_GENERATORS = TorchVersion(torch.__version__) < "2.14"

# The reason for a failed capture, by device: a second attempt in the same process is not safe.
_refusals: dict[torch.device, str] = {}


def capture_epochs(task: TrainingTask, first_epoch: int) -> set[int]:
    """Return the epochs, from `first_epoch` on, up to those in which steps are captured.

    Only full batches are captured; if an epoch has few, eager steps take several epochs.
    """
    whole_batches = task.samples // task.training.batch_size
    if not whole_batches:
        return set()
    starts = {first_epoch, max(first_epoch, task.objective.delay)}
    later = range(STEPS_BEFORE_CAPTURE // whole_batches + 1)
    return {start + epoch for start in starts for epoch in later}


@dataclass(frozen=True)
class _Capture:
    graph: torch.cuda.CUDAGraph
    batch: Tensor
    draws: Tensor | None
    logits: Tensor


class CapturedStep:
    """A step on batches of one size: first eager, then captured, then replayed.

    The eager steps train, so nothing has to be undone. All steps must be launched on one stream that is not
    the default stream. If capture fails, the steps stay eager, and the group notes the reason.
    """

    def __init__(self, step: Step, group: FitGroup) -> None:
        self._step, self._group = step, group
        self._phase: bool | None = None
        self._steps_seen = 0
        self._capture: _Capture | None = None

    def phase(self, epoch: int) -> bool:
        """Return a value that changes when the operations of a step change."""
        return self._step.phase(epoch)

    def __call__(
        self, batch: Tensor, draws: Tensor | None, epoch: int, pixels: Tensor | None = None
    ) -> Tensor:
        """Train; return the logits [M, B, K] of the forward pass; images that are read ahead are refused."""
        assert pixels is None
        phase = self._step.phase(epoch)
        if phase != self._phase:
            # Free the old graph before capturing a new one on the same stream: up to torch 2.14, freeing it
            # also frees the stream's cuBLAS workspace.
            self._phase, self._steps_seen, self._capture = phase, 0, None
        self._steps_seen += 1
        refusal = _refusals.get(batch.device)
        if refusal is None and self._capture is None and self._steps_seen > STEPS_BEFORE_CAPTURE:
            self._capture = self._try_capture(batch, draws, epoch)
            refusal = _refusals.get(batch.device)
        if refusal is not None:
            self._note(refusal)
        if self._capture is None:
            return self._step(batch, draws, epoch)
        return _replayed(self._capture, batch, draws)

    def _try_capture(self, batch: Tensor, draws: Tensor | None, epoch: int) -> _Capture | None:
        state = _HostState(self._group)
        try:
            return self._captured(batch.clone(), None if draws is None else draws.clone(), epoch)
        except Exception as error:
            if not is_usable(batch.device):
                raise
            _refusals[batch.device] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        state.restore()
        return None

    def _captured(self, batch: Tensor, draws: Tensor | None, epoch: int) -> _Capture:
        graph = torch.cuda.CUDAGraph()
        if _REGISTERS_GENERATORS:
            for branch in self._group.branches:
                # Each registered generator costs two kernels at every replay.
                for generator in branch.stack.generators if branch.stack.draws else ():
                    graph.register_generator_state(generator)
        with _without_garbage_collection(), torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
            logits = self._step(batch, draws, epoch)
        return _Capture(graph, batch, draws, logits)

    def _note(self, refusal: str) -> None:
        if self._group.modes.graph:
            self._group.modes = replace(self._group.modes, graph=False)
            self._group.notes.append(f"graph not captured: {refusal}")


def _replayed(capture: _Capture, batch: Tensor, draws: Tensor | None) -> Tensor:
    capture.batch.copy_(batch)
    if capture.draws is not None and draws is not None:
        capture.draws.copy_(draws)
    capture.graph.replay()
    return capture.logits.clone()  # the next step overwrites it


class _HostState:
    """The state that a step's Python code changes even if no kernel runs."""

    def __init__(self, group: FitGroup) -> None:
        self._group = group
        self._scalers = [branch.scaler.state_dict() for branch in group.branches]
        self._generators = [
            [generator.get_state() for generator in branch.stack.generators] for branch in group.branches
        ]

    def restore(self) -> None:
        """Undo an incomplete step; replace the objects that took part in the failed capture."""
        for branch, scale, states in zip(self._group.branches, self._scalers, self._generators, strict=True):
            enabled, device = branch.scaler.is_enabled(), branch.stack.device
            branch.scaler = torch.amp.GradScaler(device.type, enabled=enabled)
            branch.scaler.load_state_dict(scale)
            branch.optimizer.zero_grad(set_to_none=True)
            new_generators = [torch.Generator(device) for _ in states]
            for generator, state in zip(new_generators, states, strict=True):
                generator.set_state(state)
            # In place: the dropout layers hold this list.
            branch.stack.generators[:] = new_generators


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Prevent the collector from freeing tensors of other streams or graphs during capture."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
