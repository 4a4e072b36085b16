"""CUDA streams of a process, and settings of CUDA's libraries during training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch

from noisebench.training.modes import Modes

Result = TypeVar("Result")


@contextmanager
def training_stream(device: torch.device, modes: Modes) -> Iterator[None]:
    """On a GPU, run the block on this process's training stream: the default stream cannot capture graphs."""
    if device.type != "cuda":
        yield
        return
    stream = _stream(device, "training")
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream), reproducible_kernels(device, tuned=modes.tuned):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)


@contextmanager
def reproducible_kernels(device: torch.device, *, tuned: bool = False) -> Iterator[None]:
    """Use deterministic CUDA kernels, without TF32 and reduced-precision reductions.

    `tuned` lets cuDNN choose its kernels by timing them, so they can differ between processes.
    """
    if device.type != "cuda":
        yield
        return
    matmul = torch.backends.cuda.matmul
    reduced = (
        matmul.allow_bf16_reduced_precision_reduction,
        matmul.allow_fp16_reduced_precision_reduction,
    )
    matmul.allow_bf16_reduced_precision_reduction = False
    matmul.allow_fp16_reduced_precision_reduction = False
    try:
        enabled = torch.backends.cudnn.enabled  # off in comparisons with another order of summation
        with torch.backends.cudnn.flags(enabled, benchmark=tuned, deterministic=not tuned, allow_tf32=False):
            yield
    finally:
        (
            matmul.allow_bf16_reduced_precision_reduction,
            matmul.allow_fp16_reduced_precision_reduction,
        ) = reduced


def is_usable(device: torch.device) -> bool:
    """Whether the device still works: after a sticky CUDA error every call of this process fails."""
    if device.type != "cuda":
        return True
    try:
        torch.cuda.synchronize(device)
        return float(torch.ones(1, device=device).item()) == 1.0
    except torch.OutOfMemoryError:
        return True
    except RuntimeError:
        return False


def branch_streams(device: torch.device, count: int) -> tuple[torch.cuda.Stream, ...]:
    """Return a stream for each of several branches on a GPU, the same for every training; else ()."""
    if device.type != "cuda" or count == 1:
        return ()
    return tuple(_stream(device, "branch", number) for number in range(count))


def run_side_by_side(
    steps: Sequence[Callable[[], Result]], streams: Sequence[torch.cuda.Stream]
) -> list[Result]:
    """Call each step on its stream; without streams, call them one after another.

    The steps wait for all work launched before, and work launched afterwards waits for all steps. In a
    captured graph the streams become parallel branches.
    """
    if not streams:
        return [step() for step in steps]
    main = torch.cuda.current_stream()
    start = main.record_event()
    results = []
    # Fork all streams before joining any: a join in this loop would serialise them.
    for stream, step in zip(streams, steps, strict=True):
        stream.wait_event(start)
        with torch.cuda.stream(stream):
            results.append(step())
    for stream in streams:
        main.wait_stream(stream)
    return results


# Cached: every new stream gets allocator blocks and cuBLAS workspaces that are never freed.
@cache
def _stream(device: torch.device, purpose: str, number: int = 0) -> torch.cuda.Stream:
    del purpose, number
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
