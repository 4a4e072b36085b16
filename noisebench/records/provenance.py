"""The machine and the code version, for records."""

import hashlib
import importlib.metadata
import os
import platform
import subprocess
from functools import lru_cache
from pathlib import Path

# Set for programs that share a GPU through NVIDIA's Multi-Process Service (MPS): the folder of its daemon.
MPS_VARIABLE = "CUDA_MPS_PIPE_DIRECTORY"

_RECORDED = (
    *("noisebench", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "pillow", "cleanlab", "aum"),
    "ray",
)


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Return the versions that can affect a result."""
    recorded = {"python": platform.python_version(), "cpu": _cpu_model()}
    for package in _RECORDED:
        try:
            recorded[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return recorded


@lru_cache(maxsize=1)
def commit() -> str | None:
    """Return the git commit of this checkout, with "+" if files were changed; None outside a checkout."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    try:
        head = _git(here, "rev-parse", "--short=12", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no", "--", "noisebench")
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if changed else "")


@lru_cache(maxsize=1)
def source_hash() -> str:
    """Return 16 hex digits of the sha256 of this package's source files."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted([*package.rglob("*.py"), *package.rglob("*.sql")]):
        digest.update(f"{path.relative_to(package)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def reset_peak_memory() -> None:
    """Restart the measurement of `peak_memory_mb`, if the kernel allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory_mb() -> float | None:
    """Return this process's highest resident memory since the last reset, in MB; None off Linux."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None


def host() -> str:
    """Return this machine's name."""
    return platform.node() or "unknown"


def slurm_job_id() -> str | None:
    """Return the Slurm job this process runs in, as ARRAY_TASK in an array; None outside Slurm."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return os.environ.get("SLURM_JOB_ID") if array is None else f"{array}_{task}"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
