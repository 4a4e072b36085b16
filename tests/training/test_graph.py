"""Steps are eager, then captured, then replayed; a fake graph replays a step by running it again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from noisebench.catalogue.component import Component
from noisebench.records.checkpoints import Checkpoints
from noisebench.training import graph
from noisebench.training.fit_group import FitGroup
from noisebench.training.graph import STEPS_BEFORE_CAPTURE, CapturedStep
from noisebench.training.modes import Modes
from noisebench.trial.measurement import measure
from tests.training.problem import Problem, differences, parameters_differ
from tests.trials import trial_of

CPU = torch.device("cpu")
DELAYED = Component.of("PZ", c=0.02, delay=1)


class FakeGraph:
    """Replays the captured call on the tensors of that call."""

    def __init__(self) -> None:
        self.generators: list[torch.Generator] = []

    def register_generator_state(self, generator: torch.Generator) -> None:
        self.generators.append(generator)

    def replay(self) -> None:
        self.logits.copy_(self.step.logits_of(*self.call))


class FakeStep:
    """Doubles the batch; a call during capture is stored, not run."""

    def __init__(self) -> None:
        self.capture: FakeGraph | None = None
        self.graphs: list[FakeGraph] = []
        self.runs = 0

    def phase(self, epoch: int) -> bool:
        return epoch >= 1

    def logits_of(self, batch: Tensor, draws: Tensor | None, epoch: int) -> Tensor:
        return 2.0 * batch + epoch + (0 if draws is None else draws.sum(2))

    def __call__(self, batch: Tensor, draws: Tensor | None, epoch: int) -> Tensor:
        if self.capture is None:
            self.runs += 1
            return self.logits_of(batch, draws, epoch)
        captured = self.capture
        captured.step, captured.call, captured.logits = self, (batch, draws, epoch), torch.empty(batch.shape)  # type: ignore[attr-defined]
        self.graphs.append(captured)
        return captured.logits  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(autouse=True)
def _no_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "_refusals", {})


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> FakeStep:
    fake = FakeStep()

    @contextmanager
    def capture(captured: FakeGraph, stream: object) -> Iterator[None]:
        del stream
        fake.capture = captured
        yield
        fake.capture = None

    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    return fake


def group_of(model: str = "small-cnn") -> FitGroup:
    problem = Problem.small(2)
    problem.model = model
    return problem.group(Modes(graph=True, branches=True))


@pytest.mark.parametrize("augmented", [False, True])
def test_every_step_sees_its_own_batch(step: FakeStep, augmented: bool) -> None:
    captured = CapturedStep(step, group_of())
    results = []
    for number in range(8):
        batch = torch.full((1, 4), number)
        draws = torch.full((1, 4, 3), 10 * number) if augmented else None
        results.append((captured(batch, draws, 0), step.logits_of(batch, draws, 0)))
    # Compared after all steps: a replay must not overwrite earlier logits.
    assert all(torch.equal(logits, expected) for logits, expected in results)
    assert step.runs == STEPS_BEFORE_CAPTURE
    assert len(step.graphs) == 1


@pytest.mark.parametrize(
    ("model", "registers", "expected"),
    [("small-cnn", True, 2), ("small-cnn", False, 0), ("resnet-32", True, 0)],
    ids=["dropout", "torch 2.14", "no dropout"],
)
def test_only_generators_that_draw_are_registered(
    step: FakeStep, monkeypatch: pytest.MonkeyPatch, model: str, registers: bool, expected: int
) -> None:
    monkeypatch.setattr(graph, "_REGISTERS_GENERATORS", registers)
    captured = CapturedStep(step, group_of(model))
    for _ in range(STEPS_BEFORE_CAPTURE + 1):
        captured(torch.zeros(1, 4), None, 0)
    assert len(step.graphs[0].generators) == expected


def test_each_phase_is_captured_after_the_old_graph_is_freed(step: FakeStep) -> None:
    captured = CapturedStep(step, group_of())
    for epoch in (0, 1):
        for number in range(6):
            batch = torch.full((1, 4), number)
            assert torch.equal(captured(batch, None, epoch), step.logits_of(batch, None, epoch))
            assert (captured._capture is None) == (number < STEPS_BEFORE_CAPTURE)
    assert step.runs == 2 * STEPS_BEFORE_CAPTURE
    assert len(step.graphs) == 2


class ReplayingGraph:
    """A fake graph of a real step: replaying it runs the step on the captured buffers."""

    def __init__(self, captured: CapturedStep, batch: Tensor, draws: Tensor | None, epoch: int) -> None:
        self.call = (batch, draws, epoch)
        self.step = captured._step
        self.logits = torch.empty(0)

    def replay(self) -> None:
        self.logits.copy_(self.step(*self.call))


@pytest.mark.parametrize("augmentation", ["none", "crop-flip"])
@pytest.mark.parametrize("words", ["fp32", "fp32 branches", "bf16 grouped"])
def test_a_captured_training_equals_an_eager_training(
    words: str, augmentation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two phases, a short last batch, and the learning rate on the device."""
    captures = []

    def captured(captured: CapturedStep, batch: Tensor, draws: Tensor | None, epoch: int) -> object:
        fake = ReplayingGraph(captured, batch, draws, epoch)
        fake.logits = torch.empty(*batch.shape, 10)
        captures.append(epoch)
        return graph._Capture(fake, batch, draws, fake.logits)  # type: ignore[arg-type]

    monkeypatch.setattr(CapturedStep, "_captured", captured)
    modes = Modes.parse(words, CPU)
    # On the device the rate is a float32, which represents this rate exactly.
    changes = {"epochs": 3, "batch_size": 18, "augmentation": augmentation, "learning_rate": 2**-10}
    eager, replayed = (Problem.small(2, DELAYED, **changes) for _ in range(2))
    expected = eager.train(modes)
    group = replayed.train(recorded_modes(modes))
    assert captures == [0, 1]
    assert not differences(replayed, eager).any()
    assert not parameters_differ(group.models(), expected.models())
    assert group.notes == []


def recorded_modes(modes: Modes) -> Modes:
    return replace(modes, graph=True)


@pytest.fixture
def _failing_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture that fails after the step has changed generators and scalers."""

    @contextmanager
    def fail(captured: FakeGraph, stream: object) -> Iterator[None]:
        del stream
        for generator in captured.generators:
            torch.rand(3, generator=generator)
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nand more")
        yield

    monkeypatch.setattr(graph, "_REGISTERS_GENERATORS", True)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", fail)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)


@pytest.mark.usefixtures("_failing_capture")
@pytest.mark.parametrize("words", ["fp32 branches", pytest.param("fp16 branches", marks=pytest.mark.slow)])
def test_a_training_whose_capture_fails_stays_eager_with_a_note(words: str) -> None:
    modes = Modes.parse(words, CPU)
    eager, refused = (Problem.small(2, learning_rate=2**-10) for _ in range(2))
    expected = eager.train(modes)
    group = refused.train(recorded_modes(modes))
    assert not differences(refused, eager).any()
    assert not parameters_differ(group.models(), expected.models())
    assert group.modes == modes
    assert group.notes == [
        "graph not captured: RuntimeError: CUDA error: operation not permitted when stream is capturing"
    ]


@pytest.mark.usefixtures("_failing_capture")
def test_a_process_does_not_try_to_record_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Problem.small(1).train(Modes(graph=True))
    monkeypatch.setattr(CapturedStep, "_try_capture", lambda *_: pytest.fail("captured again"))
    second = Problem.small(1).train(Modes(graph=True))
    assert first.notes == second.notes != []


@pytest.mark.usefixtures("_failing_capture")
def test_a_failure_that_makes_the_gpu_unusable_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "is_usable", lambda _: False)
    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"):
        Problem.small(1).train(Modes(graph=True))


class Killed(BaseException):
    """Simulates the death of the process."""


@pytest.mark.slow
def test_a_trial_whose_process_died_while_capture_is_trained_without_a_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Killed

    trial = trial_of(training="{epochs: 2, batch_size: 64, precision: fast}")
    expected = measure(trial, None, CPU)
    graphed = Modes(channels_last=True, graph=True, grouped=True)
    monkeypatch.setattr("noisebench.training.surrogate.default_modes", lambda *_: graphed)
    monkeypatch.setattr(CapturedStep, "_captured", die)
    with pytest.raises(Killed):
        measure(trial, None, CPU, Checkpoints(tmp_path))
    resumed = measure(trial, None, CPU, Checkpoints(tmp_path))
    assert resumed.fast_path == (
        "fp32 channels-last grouped; no graph: an earlier attempt ended while it was captured"
    )
    assert resumed.result == expected.result
    # Later attempts do not capture either.
    for finished in tmp_path.glob("run-*.pt"):
        finished.unlink()
    assert "no graph" in str(measure(trial, None, CPU, Checkpoints(tmp_path)).fast_path)


def test_the_capture_mark_is_removed_after_the_first_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr("noisebench.training.surrogate.default_modes", lambda *_: Modes(graph=True))
    monkeypatch.setattr(CapturedStep, "_try_capture", lambda *_: seen.append(mark.exists()))
    mark = tmp_path / "capture.pt"
    training = "{epochs: 3, batch_size: 40, precision: fast}"
    trial = trial_of("{name: PZ, c: 0.02, delay: 1}", detector="none", training=training)
    measure(trial, None, CPU, Checkpoints(tmp_path))
    # Of ten steps in an epoch the first three are eager; the loss itself starts in epoch 1.
    assert seen == [True] * 14 + [False] * 10
    assert not mark.exists()


def test_a_fit_that_ends_before_capture_leaves_no_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only epoch has three full batches; the fourth would be captured."""
    monkeypatch.setattr("noisebench.training.surrogate.default_modes", lambda *_: Modes(graph=True))
    trial = trial_of(training="{epochs: 1, batch_size: 64, precision: fast}")
    assert measure(trial, None, CPU, Checkpoints(tmp_path)).fast_path == "fp32 graph"
    assert not (tmp_path / "capture.pt").exists()


@pytest.mark.parametrize(
    ("batch_size", "delay", "first_epoch", "expected"),
    [
        (40, 0, 0, {0}),
        (40, 2, 0, {0, 2}),
        (40, 2, 3, {3}),
        (64, 5, 0, {0, 1, 2, 3, 5, 6, 7, 8}),  # one full batch in an epoch
        (128, 0, 0, set()),
    ],
)
def test_capture_epochs(batch_size: int, delay: int, first_epoch: int, expected: set[int]) -> None:
    problem = Problem.small(1, Component.of("CE", delay=delay), batch_size=batch_size)
    problem.indices = torch.arange(120 if batch_size == 40 else 100)[None]
    if batch_size == 40:
        problem.training = replace(problem.training, batch_size=20)
    assert graph.capture_epochs(problem.task(), first_epoch) == expected
