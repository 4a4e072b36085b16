"""When a step is run, recorded, replayed; the graph is a fake that runs the step anew to replay it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from noisebench.training.recorded_step import STEPS_BEFORE_RECORDING, RecordedStep


class FakeGraph:
    """Replays the call that was made while it recorded, on the tensors of that call."""

    def __init__(self) -> None:
        self.generators: list[torch.Generator] = []

    def register_generator_state(self, generator: torch.Generator) -> None:
        self.generators.append(generator)

    def replay(self) -> None:
        self.logits.copy_(self.step.logits_of(*self.call))


class FakeStep:
    """Doubles the batch; what runs while a graph records is not run but kept."""

    def __init__(self) -> None:
        self.recording: FakeGraph | None = None
        self.graphs: list[FakeGraph] = []
        self.runs = 0

    def phase(self, epoch: int) -> bool:
        return epoch >= 1

    def logits_of(self, batch: Tensor, draws: Tensor | None, epoch: int) -> Tensor:
        return 2.0 * batch + epoch + (0 if draws is None else draws.sum(2))

    def __call__(self, batch: Tensor, draws: Tensor | None, epoch: int) -> Tensor:
        if self.recording is None:
            self.runs += 1
            return self.logits_of(batch, draws, epoch)
        graph = self.recording
        graph.step, graph.call, graph.logits = self, (batch, draws, epoch), torch.empty(batch.shape)  # type: ignore[attr-defined]
        self.graphs.append(graph)
        return graph.logits  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> FakeStep:
    found = FakeStep()

    @contextmanager
    def record(graph: FakeGraph, stream: object) -> Iterator[None]:
        del stream
        found.recording = graph
        yield
        found.recording = None

    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", record)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    return found


@pytest.mark.parametrize("augmented", [False, True])
def test_every_step_sees_its_own_batch(step: FakeStep, augmented: bool) -> None:
    recorded = RecordedStep(step, [torch.Generator()])
    kept = []
    for number in range(8):
        batch = torch.full((1, 4), number)
        draws = torch.full((1, 4, 3), 10 * number) if augmented else None
        kept.append((recorded(batch, draws, 0), step.logits_of(batch, draws, 0)))
    assert all(torch.equal(own, expected) for own, expected in kept)  # also the earlier ones, later
    assert step.runs == STEPS_BEFORE_RECORDING
    assert len(step.graphs) == 1
    assert len(step.graphs[0].generators) == 1


def test_each_phase_is_recorded_for_itself(step: FakeStep) -> None:
    recorded = RecordedStep(step, [])
    for epoch in (0, 1):
        for number in range(6):
            batch = torch.full((1, 4), number)
            assert torch.equal(recorded(batch, None, epoch), step.logits_of(batch, None, epoch))
    assert step.runs == 2 * STEPS_BEFORE_RECORDING
    assert len(step.graphs) == 2
