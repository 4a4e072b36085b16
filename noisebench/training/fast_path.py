"""The means by which a device trains at `precision: fast`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from noisebench.errors import InputError

# Words of a fast path here take the place of those in the table below.
OVERRIDE = "NOISEBENCH_FAST_PATH"

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_HALF = "half"
_MEANS = ("channels-last", "graph", "compiled", "fused")

# By device and model; `benchmarks/results.md` has the figures. Of a GPU nothing is measured yet: the words
# follow from the number of operations a step has (`graph`) and from how little of a GPU a small model fills
# (`fused`).
_TABLE = {
    ("cpu", "small-cnn"): "half channels-last",
    ("cpu", "resnet-32"): "half channels-last",
    ("cpu", "resnet-34"): "half channels-last",
    ("cuda", "small-cnn"): "half channels-last graph fused",
    ("cuda", "resnet-32"): "half channels-last graph fused",
    ("cuda", "resnet-34"): "half channels-last graph",
}
# The same for images of at most so many pixels: there a step costs as much around its arithmetic as in it, so
# that several folds are faster as one model, which they are not on larger images. bfloat16 would be faster
# still, but it moves more flags of digits than the bound allows.
_TINY_PIXELS = 10 * 10
_TINY_TABLE = {("cpu", "small-cnn"): "fp32 channels-last fused"}


@dataclass(frozen=True)
class FastPath:
    """How models are trained fast; its text is what a record keeps, and what `OVERRIDE` takes.

    `dtype` is that of convolutions and matrix products, `graph` replays whole steps as one CUDA graph,
    `compiled` runs the forward and backward pass through torch.compile, `fused` trains the runs of a trial
    as one model.
    """

    dtype: torch.dtype = torch.float32
    channels_last: bool = False
    graph: bool = False
    compiled: bool = False
    fused: bool = False

    @classmethod
    def of(cls, device: torch.device, model: str, shape: Sequence[int]) -> FastPath:
        """Return the path of a device for a model of images `shape` (..., H, W).

        It is as overridden, else as the tables say.
        """
        what, (height, width) = (device.type, model), shape[-2:]
        tiny = height * width <= _TINY_PIXELS and what in _TINY_TABLE
        return cls.parse(os.environ.get(OVERRIDE) or (_TINY_TABLE if tiny else _TABLE)[what], device)

    @classmethod
    def parse(cls, text: str, device: torch.device) -> FastPath:
        """Read a path from its words: one of fp32, bf16, fp16, half, with any of the means.

        `half` is the 16-bit type that the device computes in, or else fp32; where that is fp16, nothing is
        fused: runs that share the scale of the loss would skip steps for each other's sake. Raises
        InputError for words that are unknown, beyond the device, or at odds.
        """
        words = text.split()
        unknown = [word for word in words if word not in (*_DTYPES, _HALF, *_MEANS)]
        if unknown:
            known = ", ".join((*_DTYPES, _HALF, *_MEANS))
            raise InputError(f"{OVERRIDE}: {unknown[0]!r} is no part of a fast path; known: {known}")
        if "graph" in words and device.type != "cuda":
            raise InputError(f"{OVERRIDE}: a {device.type} has no CUDA graphs; leave `graph` out")
        dtype = next((_DTYPES[word] for word in words if word in _DTYPES), torch.float32)
        if _HALF in words:
            dtype = _half(device)
        if "fused" in words and dtype == torch.float16 and _HALF not in words:
            raise InputError(
                f"{OVERRIDE}: in fp16 the runs of a trial would share the scale of the loss, and a run "
                "depend on its neighbours; leave `fused` out"
            )
        # On a CPU that has no half precision, large convolutions in float32 are no faster in another layout.
        worth = device.type == "cuda" or dtype != torch.float32 or _HALF not in words
        channels_last = "channels-last" in words and worth
        fused = "fused" in words and dtype != torch.float16
        return cls(dtype, channels_last, "graph" in words, "compiled" in words, fused)

    def __str__(self) -> str:
        names = [name for name, dtype in _DTYPES.items() if dtype == self.dtype]
        means = (self.channels_last, self.graph, self.compiled, self.fused)
        return " ".join(names + [name for name, used in zip(_MEANS, means, strict=True) if used])


def _half(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    return torch.bfloat16 if torch.cpu.get_capabilities().get("avx512_bf16") else torch.float32
