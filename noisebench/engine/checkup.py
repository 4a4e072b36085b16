"""What of this machine would stop a trial, or spoil what it leaves."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import noisebench
from noisebench.catalogue.files import DataFile
from noisebench.data.files import problem
from noisebench.records import provenance
from noisebench.records.durable import write_durably
from noisebench.records.folders import ResultsFolder
from noisebench.trial.memory import available_mb

# A trial's process is large before it has read any data: most of it is torch.
LEAST_MEMORY_MB = 1024
LEAST_FREE_MB = 500
# Heartbeats are compared with the reader's clock, and stale after a minute.
MOST_SKEW_SECONDS = 10.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: fine, or a problem with the mend."""

    check: str
    seen: str
    mend: str | None = None

    @property
    def ok(self) -> bool:
        """Whether there is nothing to mend."""
        return self.mend is None


def machine_findings(*, gpu: bool | None = None) -> list[Finding]:
    """Look at Python, torch with its GPUs, and memory; `gpu`: whether there must be one, None: may be."""
    code = f"noisebench {noisebench.__version__}, source {provenance.source_hash()}"
    return [Finding("python", f"{platform.python_version()}, {code}"), *_torch(gpu), _memory()]


def results_findings(results: ResultsFolder) -> list[Finding]:
    """Try in the results folder, or where it would be made, all that its files rely on."""
    folder = next(path for path in (results.root, *results.root.parents) if path.exists())
    trial = folder / f".doctor-{uuid.uuid4().hex}"
    mend = "choose another folder with --results, on a file system that all nodes share"
    try:
        trial.mkdir()
        skew = _try_files(trial)
        free_mb = shutil.disk_usage(folder).free / 1024**2
    except OSError as error:
        return [Finding("results", f"{folder}: {error.strerror or error}", mend)]
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    found = [Finding("results", f"{results.root}: writing, renaming, appending, locking work")]
    if free_mb < LEAST_FREE_MB:
        found = [Finding("results", f"{folder}: {free_mb:.0f} MB are left", "free some space")]
    if abs(skew) > MOST_SKEW_SECONDS:
        mend = "let both follow the same time server"
        return [*found, Finding("clock", f"{skew:+.0f} s beside that of the file system", mend)]
    return [*found, Finding("clock", f"{skew:+.1f} s beside that of the file system")]


def data_findings(files: Sequence[DataFile], data_dir: Path | None) -> list[Finding]:
    """Look whether these files, of data sets and pretrained weights, are there and whole."""
    if not files:
        return [Finding("data", "no files are needed")]
    if data_dir is None:
        seen = f"{len(files)} files are needed, such as {files[0].path}"
        return [Finding("data", seen, "say where they are with --data DIR, or in the site's `folders.data`")]
    mend = f"`noisebench prepare SPEC --data {data_dir}` fetches it, where there is internet"
    problems = [found for file in files if (found := problem(file, data_dir))]
    whole = Finding("data", f"{data_dir}: all {len(files)} files are there and whole")
    return [Finding("data", found, mend) for found in problems] or [whole]


def built_for(architectures: Iterable[str], capability: tuple[int, int]) -> bool:
    """Whether a build of torch for these architectures, such as sm_70, runs on a device.

    Machine code serves devices of its generation from its own minor version on, PTX (compute_70) all later.
    """
    major, minor = capability
    for architecture in architectures:
        kind, _, number = architecture.partition("_")
        digits = "".join(character for character in number if character.isdigit())
        theirs = (int(digits[:-1]), int(digits[-1]))
        if kind == "sm" and theirs[0] == major and theirs[1] <= minor:
            return True
        if kind == "compute" and theirs <= (major, minor):
            return True
    return False


def _torch(gpu: bool | None) -> list[Finding]:
    import torch

    said = f"{torch.__version__}, CUDA {torch.version.cuda or 'none'}"
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not devices:
        if gpu or (gpu is None and Path("/dev/nvidia0").exists()):
            mend = "install a build of torch for the driver here; else trials run on the CPU"
            return [Finding("torch", f"{said} sees no GPU", mend)]
        return [Finding("torch", f"{said}, no GPU here")]
    found = []
    for number in range(devices):
        capability = torch.cuda.get_device_capability(number)
        name = f"{torch.cuda.get_device_name(number)} (sm_{capability[0]}{capability[1]})"
        built = torch.cuda.get_arch_list()
        if built_for(built, capability):
            found.append(Finding("torch", f"{said} is built for {name}"))
        else:
            mend = "install a build of torch for it; for a V100 that is one for CUDA 12.6"
            found.append(Finding("torch", f"{said} is built for {', '.join(built)}, not for {name}", mend))
    return found


def _memory() -> Finding:
    free_mb, cpus = available_mb(), len(os.sched_getaffinity(0))
    said = f"{free_mb / 1024:.1f} GiB free, {cpus} CPUs"
    if free_mb < LEAST_MEMORY_MB:
        return Finding("memory", said, f"a trial needs at least {LEAST_MEMORY_MB / 1024:.0f} GiB")
    return Finding("memory", said)


def _try_files(folder: Path) -> float:
    """Do what the journal, the database and the lock do; return how far our clock is ahead, in seconds."""
    path = folder / "file"
    write_durably(path, b"one")
    write_durably(path, b"two")
    now = time.time()
    descriptor = os.open(folder / "journal", os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND)
    try:
        for line in (b"first\n", b"second\n"):
            os.write(descriptor, line)
            os.fsync(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)
    if path.read_bytes() != b"two" or (folder / "journal").read_bytes() != b"first\nsecond\n":
        raise OSError("what was written is not what is read")
    return now - path.stat().st_mtime
