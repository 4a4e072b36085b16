"""Execution modes: faster ways to run the same training."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch

from noisebench.catalogue.models import model_of
from noisebench.errors import InputError

# The environment variable whose modes replace the defaults and those of a calibration.
OVERRIDE = "NOISEBENCH_FAST_PATH"

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_HALF = "half"

# Up to this many pixels an image is tiny (`FastModes.tiny_on_cpu`).
_TINY_PIXELS = 10 * 10


@dataclass(frozen=True)
class Modes:
    """Execution modes; the defaults are the reference: eager float32, one fit after another.

    `dtype`: type of convolutions and matrix products. `channels_last`: memory layout. `graph`: capture whole
    steps as a CUDA graph and replay them. `branches`: train the fits of a trial concurrently, each on its own
    CUDA stream; on a CPU one after another. `grouped`: train the fits of a trial as one model. `compiled`:
    run forward and backward pass through torch.compile. `tuned`: let cuDNN choose kernels by timing them.
    """

    dtype: torch.dtype = torch.float32
    channels_last: bool = False
    graph: bool = False
    branches: bool = False
    grouped: bool = False
    compiled: bool = False
    tuned: bool = False

    @classmethod
    def parse(cls, text: str, device: torch.device) -> Modes:
        """Read modes from words: one of fp32, bf16, fp16, half, and any of the other modes.

        `half` is the 16-bit type that the device supports, else fp32. If it is fp16, `grouped` is dropped:
        fits that share a loss scale would skip steps because of each other. Raises InputError for words that
        are unknown, not supported by the device, or in conflict.
        """
        words = set(text.split())
        _check(words, device)
        dtype = next((_DTYPES[word] for word in _DTYPES if word in words), torch.float32)
        if _HALF in words:
            dtype = _half(device)
        chosen = {word.replace("-", "_"): True for word in words - {*_DTYPES, _HALF}}
        if _HALF in words and dtype == torch.float16:
            chosen.pop("grouped", None)
        # On a CPU, channels-last does not speed up large float32 convolutions.
        if _HALF in words and dtype == torch.float32 and device.type == "cpu":
            chosen.pop("channels_last", None)
        return cls(dtype, **chosen)

    @property
    def together(self) -> bool:
        """Whether the fits of a trial are trained at the same time."""
        return self.grouped or self.branches

    def __str__(self) -> str:
        names = [name for name, dtype in _DTYPES.items() if dtype == self.dtype]
        return " ".join(names + [word for word in WORDS if getattr(self, word.replace("-", "_"))])


WORDS = tuple(field.name.replace("_", "-") for field in fields(Modes) if field.name != "dtype")


def default_modes(device: torch.device, model: str, shape: Sequence[int]) -> Modes:
    """Return the modes of `precision: fast` for a model of images `shape` (..., H, W)."""
    height, width = shape[-2:]
    fast = model_of(model).modes
    if device.type == "cuda":
        return Modes.parse(fast.cuda, device)
    tiny = height * width <= _TINY_PIXELS
    return Modes.parse((tiny and fast.tiny_on_cpu) or fast.cpu, device)


def overridden_modes(device: torch.device) -> Modes | None:
    """Return the modes that the environment variable sets, None if it sets none."""
    text = os.environ.get(OVERRIDE)
    return Modes.parse(text, device) if text else None


def _check(words: set[str], device: torch.device) -> None:
    known = (*_DTYPES, _HALF, *WORDS)
    unknown = sorted(words - set(known))
    if unknown:
        raise InputError(f"{OVERRIDE}: {unknown[0]!r} is no mode; known: {', '.join(known)}")
    if "graph" in words and device.type != "cuda":
        raise InputError(f"{OVERRIDE}: a {device.type} has no CUDA graphs; leave `graph` out")
    if {"grouped", "branches"} <= words:
        raise InputError(f"{OVERRIDE}: fits are either `grouped` or `branches`; leave one out")
    if {"compiled", "branches"} <= words:
        # Every branch has separate modules, and torch.compile would compile each of them.
        raise InputError(f"{OVERRIDE}: branches cannot be compiled; leave `compiled` or `branches` out")
    if {"grouped", "fp16"} <= words:
        raise InputError(
            f"{OVERRIDE}: in fp16, grouped fits would share the scale of the loss and depend on each other; "
            "leave `grouped` out"
        )


def _half(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    return torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16") else torch.float32
