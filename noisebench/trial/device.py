"""The device of a process."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch

from noisebench.errors import EnvironmentFault, InputError

# The environment variable that, set to "cpu", makes every process run its trials on the CPU.
OVERRIDE = "NOISEBENCH_DEVICE"
# GPU memory of a process in addition to torch's tensors: the CUDA context and the libraries' kernels.
CONTEXT_MB = 600
# The file with the version of the NVIDIA driver.
_DRIVER = Path("/proc/driver/nvidia/version")
# The part of a GPU's memory that its trials may share.
USABLE_SHARE = 0.9


def choose_device(*, gpu: bool) -> torch.device:
    """Return the first GPU that this process sees, or the CPU without `gpu`.

    Raises EnvironmentFault if `gpu` is set and no GPU is visible: a trial meant for a GPU would take about a
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
    """Return the first GPU, or the CPU if no GPU is visible or `gpu` is not set."""
    return choose_device(gpu=gpu and torch.cuda.is_available())


def describe(device: torch.device) -> str:
    """Return the name of the device for a record."""
    return "cpu" if device.type == "cpu" else f"{device} {torch.cuda.get_device_name(device)}"


def gpu_versions(device: torch.device) -> dict[str, str]:
    """Return the versions of CUDA, cuDNN and the driver, which can change results; none for a CPU."""
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
    """Limit this process to its `share` (0..1) of the GPU's memory, which nothing else enforces."""
    if device.type != "cuda" or share >= 1:
        return
    total_mb = torch.cuda.get_device_properties(device).total_memory / 2**20
    torch.cuda.set_per_process_memory_fraction(memory_fraction(total_mb, share), device)


def memory_fraction(total_mb: float, share: float) -> float:
    """Return the part of a GPU of `total_mb` that torch may allocate in a process with this `share`."""
    return max(0.01, USABLE_SHARE * share - CONTEXT_MB / total_mb)


def reset_peak_memory(device: torch.device) -> None:
    """Restart the measurement of `peak_memory_mb`; release cached blocks to the other processes."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb(device: torch.device) -> float | None:
    """Return the peak of torch's reserved GPU memory since the reset, in MB; None on a CPU."""
    return torch.cuda.max_memory_reserved(device) / 2**20 if device.type == "cuda" else None
