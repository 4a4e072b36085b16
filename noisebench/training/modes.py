"""Execution modes: how a device trains, never what it trains."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch

from noisebench.errors import InputError

# Modes named here replace those of the tables and of a calibration.
OVERRIDE = "NOISEBENCH_FAST_PATH"

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_HALF = "half"

# The modes of `precision: fast` by device and model; `benchmarks/results.md` has the figures for CPUs. On
# GPUs nothing is measured yet: these modes follow from the number of operations of a step (`graph`) and from
# how little of a GPU a small model fills (`branches`).
_DEFAULTS = {
    ("cpu", "small-cnn"): "half channels-last",
    ("cpu", "resnet-32"): "half channels-last",
    ("cpu", "resnet-34"): "half channels-last",
    ("cuda", "small-cnn"): "half channels-last graph branches",
    ("cuda", "resnet-32"): "half channels-last graph branches",
    ("cuda", "resnet-34"): "half channels-last graph branches",
}
# The same for images of at most so many pixels: there a step costs as much around its arithmetic as in it, so
# several folds are faster as one model, which they are not on larger images. bfloat16 would be faster still,
# but it changes more flags on digits than the bound of `benchmarks/equality.py` allows.
_TINY_PIXELS = 10 * 10
_TINY_DEFAULTS = {("cpu", "small-cnn"): "fp32 channels-last grouped"}


@dataclass(frozen=True)
class Modes:
    """How models are trained; no mode at all is the reference: eager float32, one fit after another.

    `dtype`: of convolutions and matrix products. `channels_last`: memory layout. `graph`: whole steps are
    recorded as a CUDA graph and replayed. `branches`: the fits of a trial side by side, each on a CUDA stream
    of its own; one after another on a CPU. `grouped`: the fits of a trial as one model. `compiled`: forward
    and backward pass through torch.compile. `tuned`: cuDNN chooses its kernels by timing them.
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

        `half` is the 16-bit type that the device computes in, else fp32; with fp16 chosen this way, `grouped`
        is dropped: runs that share the scale of the loss would skip steps because of each other. Raises
        InputError for words that are unknown, impossible on the device, or in conflict.
        """
        words = set(text.split())
        _check(words, device)
        dtype = next((_DTYPES[word] for word in _DTYPES if word in words), torch.float32)
        if _HALF in words:
            dtype = _half(device)
        chosen = {word.replace("-", "_"): True for word in words - {*_DTYPES, _HALF}}
        if _HALF in words and dtype == torch.float16:
            chosen.pop("grouped", None)
        # On a CPU without half precision, large convolutions in float32 are no faster in another layout.
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
    key = (device.type, model)
    tiny = height * width <= _TINY_PIXELS and key in _TINY_DEFAULTS
    return Modes.parse((_TINY_DEFAULTS if tiny else _DEFAULTS)[key], device)


def overridden_modes(device: torch.device) -> Modes | None:
    """Return the modes that the environment asks for; None where it asks for none."""
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
        # Every branch has modules of its own, and torch.compile would compile each of them.
        raise InputError(f"{OVERRIDE}: branches cannot be compiled; leave `compiled` or `branches` out")
    if {"grouped", "fp16"} <= words:
        raise InputError(
            f"{OVERRIDE}: in fp16, grouped runs would share the scale of the loss and depend on each other; "
            "leave `grouped` out"
        )


def _half(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    return torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16") else torch.float32
