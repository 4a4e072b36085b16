"""Streams fork all branches before they join any; a GPU that raises is not usable."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from noisebench.training.modes import Modes
from noisebench.training.streams import (
    branch_streams,
    is_usable,
    reproducible_kernels,
    run_side_by_side,
    training_stream,
)

CPU = torch.device("cpu")


class FakeStream:
    """Records its calls in a list that all streams share."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name, self.calls = name, calls

    def record_event(self) -> str:
        self.calls.append(f"{self.name} records")
        return "start"

    def wait_event(self, event: str) -> None:
        self.calls.append(f"{self.name} waits for {event}")

    def wait_stream(self, other: "FakeStream") -> None:
        self.calls.append(f"{self.name} waits for {other.name}")


def test_all_branches_are_forked_before_any_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    main, sides = FakeStream("main", calls), [FakeStream(name, calls) for name in "ab"]

    @contextmanager
    def on(stream: FakeStream) -> Iterator[None]:
        calls.append(f"on {stream.name}")
        yield
        calls.append(f"off {stream.name}")

    monkeypatch.setattr(torch.cuda, "current_stream", lambda: main)
    monkeypatch.setattr(torch.cuda, "stream", on)
    assert run_side_by_side([lambda: 1, lambda: 2], sides) == [1, 2]  # type: ignore[arg-type]
    assert calls == [
        "main records",
        *("a waits for start", "on a", "off a"),
        *("b waits for start", "on b", "off b"),
        *("main waits for a", "main waits for b"),
    ]


def test_a_cpu_has_no_streams() -> None:
    assert branch_streams(CPU, 3) == ()
    assert run_side_by_side([lambda: 1, lambda: 2], ()) == [1, 2]
    with training_stream(CPU, Modes()):
        pass


def test_a_process_creates_each_stream_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: made.append(device) or object())
    device = torch.device("cuda:7")
    three, two = branch_streams(device, 3), branch_streams(device, 2)
    assert three[:2] == two
    assert len(set(three)) == len(made) == 3
    assert branch_streams(device, 1) == ()


def settings() -> tuple[bool, ...]:
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    return (
        cudnn.deterministic,
        cudnn.benchmark,
        cudnn.allow_tf32,
        products.allow_bf16_reduced_precision_reduction,
        products.allow_fp16_reduced_precision_reduction,
    )


@pytest.mark.parametrize("tuned", [False, True])
def test_kernels_on_a_gpu_are_deterministic_unless_they_are_tuned(tuned: bool) -> None:
    before = settings()
    with reproducible_kernels(torch.device("cuda"), tuned=tuned):
        assert settings() == (not tuned, tuned, False, False, False)
        assert not torch.backends.cuda.matmul.allow_tf32
    assert settings() == before


def test_a_cpu_is_always_usable() -> None:
    assert is_usable(CPU)


def test_a_gpu_that_raises_is_not_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "synchronize", refuse)
    assert not is_usable(torch.device("cuda:0"))
