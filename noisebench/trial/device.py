"""The device that a process runs its trials on."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch

from noisebench.errors import EnvironmentFault, InputError

# Set to "cpu", it makes every process run its trials on the CPU, whatever it was granted.
OVERRIDE = "NOISEBENCH_DEVICE"
# What a process holds of a GPU beside torch's tensors: the CUDA context and the libraries' kernels.
CONTEXT_MB = 600
# Where the NVIDIA driver states its version.
_DRIVER = Path("/proc/driver/nvidia/version")
# The part of a GPU's memory that its trials may share.
USABLE_SHARE = 0.9


def choose_device(*, gpu: bool) -> torch.device:
    """Return the first GPU this process sees, or the CPU where no GPU is wanted.

    Raises EnvironmentFault where a GPU is wanted and none is visible: a trial meant for a GPU takes about a
    hundred times longer on a CPU.
    """
    override = os.environ.get(OVERRIDE)
    if override not in (None, "", "cpu"):
        raise InputError(f"{OVERRIDE}: {override!r} is no device; the only value is cpu")
    if override == "cpu" or not gpu:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        build = torch.version.cuda
        reason = (
            f"torch {torch.__version__} is a build for CPUs"
            if build is None
            else f"torch {torch.__version__} for CUDA {build} sees none; does the driver fit?"
        )
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        raise EnvironmentFault(
            f"a GPU was granted, but {reason} (CUDA_VISIBLE_DEVICES is {visible!r}); "
            f"install a build for this driver, or set {OVERRIDE}=cpu to run on the CPU"
        )
    return torch.device("cuda:0")


def visible_device(*, gpu: bool) -> torch.device:
    """Return the first GPU, or the CPU where there is none: for commands that take what is there."""
    return choose_device(gpu=gpu and torch.cuda.is_available())


def describe(device: torch.device) -> str:
    """Return the text that a record names the device by."""
    return "cpu" if device.type == "cpu" else f"{device} {torch.cuda.get_device_name(device)}"


def gpu_versions(device: torch.device) -> dict[str, str]:
    """Return the versions of CUDA, cuDNN and the driver, on which a GPU's digits depend; none for a CPU."""
    if device.type != "cuda":
        return {}
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    versions = {
        "cuda": torch.version.cuda,
        "cudnn": None if cudnn is None else str(cudnn),
        "driver": _driver(),
    }
    return {name: version for name, version in versions.items() if version is not None}


def _driver() -> str | None:
    try:
        text = _DRIVER.read_text()
    except OSError:
        return None
    match = re.search(r"\b\d{3,}\.\d+(\.\d+)?\b", text)
    return match.group() if match else None


def limit_gpu_memory(device: torch.device, share: float) -> None:
    """Let this process allocate at most its `share` (0..1) of the GPU; a share is no limit by itself."""
    if device.type != "cuda" or share >= 1:
        return
    total_mb = torch.cuda.get_device_properties(device).total_memory / 2**20
    torch.cuda.set_per_process_memory_fraction(memory_fraction(total_mb, share), device)


def memory_fraction(total_mb: float, share: float) -> float:
    """Return the part of a GPU of `total_mb` that torch may allocate in one of several processes."""
    return max(0.01, USABLE_SHARE * share - CONTEXT_MB / total_mb)


def reset_peak_memory(device: torch.device) -> None:
    """Start a new measurement of `peak_memory_mb`; return cached blocks to the processes beside this one."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb(device: torch.device) -> float | None:
    """Return the most GPU memory that torch reserved since the reset, in MB; None on a CPU."""
    return torch.cuda.max_memory_reserved(device) / 2**20 if device.type == "cuda" else None
