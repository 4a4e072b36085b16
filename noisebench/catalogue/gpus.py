"""GPUs whose hours are estimated without a measurement, and the assumptions of that estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """FLOP/s by the data sheets: float32 without tensor cores, 16 bits with them and without sparsity."""

    float32: float
    half: float


@dataclass(frozen=True, kw_only=True)
class Efficiency:
    """The share of a GPU's FLOP/s that a training reaches, and the least seconds of each operation."""

    share: float
    operation_seconds: float


# The SXM versions of each.
GPUS: Mapping[str, Gpu] = {
    "V100": Gpu(float32=15.7e12, half=125e12),
    "A100": Gpu(float32=19.5e12, half=312e12),
    "H200": Gpu(float32=67e12, half=989e12),
}

# By precision. The share of `fast` is between those published for trainings of ResNets in 16 bits: 19 to 24%
# in NVIDIA's examples of ResNet-50, 36% in airbench; that of `reference` is assumed. An eager operation takes
# the host some 10 microseconds, a node of a CUDA graph takes the GPU some 2.
EFFICIENCY: Mapping[str, Efficiency] = {
    "reference": Efficiency(share=0.6, operation_seconds=10e-6),
    "fast": Efficiency(share=0.25, operation_seconds=2e-6),
}
