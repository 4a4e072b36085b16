"""Checks of a machine before trials run on it: software, GPUs, memory, results folder, data files."""

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

# A trial's process is large before it has read any data: torch alone takes most of this.
MIN_MEMORY_MB = 1024
MIN_DISK_MB = 500
# A heartbeat counts as stale after a minute by the clock of the reader.
MAX_CLOCK_SKEW_SECONDS = 10.0


@dataclass(frozen=True)
class Finding:
    """The result of one check; `fix` says how to solve the problem, None where there is none."""

    check: str
    seen: str
    fix: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the check passed."""
        return self.fix is None


def machine_findings(*, gpu: bool | None = None) -> list[Finding]:
    """Check Python, torch with its GPUs, and memory.

    `gpu`: True requires a GPU, False expects none, None accepts both.
    """
    code = f"noisebench {noisebench.__version__}, source {provenance.source_hash()}"
    return [Finding("python", f"{platform.python_version()}, {code}"), *_torch(gpu), _memory()]


def results_findings(results: ResultsFolder) -> list[Finding]:
    """Check that the results folder, or its nearest existing parent, supports what our files need."""
    folder = next(path for path in (results.root, *results.root.parents) if path.exists())
    probe = folder / f".doctor-{uuid.uuid4().hex}"
    fix = "choose another folder with --results, on a file system that all nodes share"
    try:
        probe.mkdir()
        skew = _check_file_operations(probe)
        free_mb = shutil.disk_usage(folder).free / 1024**2
    except OSError as error:
        return [Finding("results", f"{folder}: {error.strerror or error}", fix)]
    finally:
        shutil.rmtree(probe, ignore_errors=True)
    findings = [Finding("results", f"{results.root}: write, rename, append and lock work")]
    if free_mb < MIN_DISK_MB:
        findings = [Finding("results", f"{folder}: {free_mb:.0f} MB are free", "free some space")]
    if abs(skew) > MAX_CLOCK_SKEW_SECONDS:
        fix = "synchronise the clocks of this machine and the file server (NTP)"
        return [*findings, Finding("clock", f"{skew:+.0f} s ahead of the file system's clock", fix)]
    return [*findings, Finding("clock", f"{skew:+.1f} s ahead of the file system's clock")]


def data_findings(files: Sequence[DataFile], data_dir: Path | None) -> list[Finding]:
    """Check by size and checksum that these files, of data sets and pretrained weights, are there."""
    if not files:
        return [Finding("data", "no files are needed")]
    if data_dir is None:
        seen = f"{len(files)} files are needed, such as {files[0].path}"
        return [Finding("data", seen, "name their folder with --data DIR, or as the site's `folders.data`")]
    fix = f"run `noisebench prepare SPEC --data {data_dir}` on a machine with internet access"
    problems = [text for file in files if (text := problem(file, data_dir))]
    complete = Finding("data", f"{data_dir}: all {len(files)} files are there and complete")
    return [Finding("data", text, fix) for text in problems] or [complete]


def built_for(architectures: Iterable[str], capability: tuple[int, int]) -> bool:
    """Return whether a torch build for these architectures (such as sm_70) runs on a device.

    Machine code runs on devices of the same major and an equal or higher minor version, PTX (compute_70)
    on all later devices.
    """
    major, minor = capability
    for architecture in architectures:
        kind, _, number = architecture.partition("_")
        digits = "".join(character for character in number if character.isdigit())
        built = (int(digits[:-1]), int(digits[-1]))
        if kind == "sm" and built[0] == major and built[1] <= minor:
            return True
        if kind == "compute" and built <= (major, minor):
            return True
    return False


def _torch(gpu: bool | None) -> list[Finding]:
    import torch

    version = f"{torch.__version__}, CUDA {torch.version.cuda or 'none'}"
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not devices:
        if gpu or (gpu is None and Path("/dev/nvidia0").exists()):
            fix = "install a torch build for this machine's GPU driver; trials would run on the CPU"
            return [Finding("torch", f"{version} sees no GPU", fix)]
        return [Finding("torch", f"{version}, no GPU here")]
    architectures = torch.cuda.get_arch_list()
    findings = []
    for device in range(devices):
        capability = torch.cuda.get_device_capability(device)
        name = f"{torch.cuda.get_device_name(device)} (sm_{capability[0]}{capability[1]})"
        if built_for(architectures, capability):
            findings.append(Finding("torch", f"{version} is built for {name}"))
        else:
            seen = f"{version} is built for {', '.join(architectures)}, not for {name}"
            fix = "install a torch build for this GPU; a V100 needs one for CUDA 12.6"
            findings.append(Finding("torch", seen, fix))
    return findings


def _memory() -> Finding:
    free_mb, cpus = available_mb(), len(os.sched_getaffinity(0))
    seen = f"{free_mb / 1024:.1f} GiB free, {cpus} CPUs"
    if free_mb < MIN_MEMORY_MB:
        return Finding("memory", seen, f"a trial needs at least {MIN_MEMORY_MB / 1024:.0f} GiB")
    return Finding("memory", seen)


def _check_file_operations(folder: Path) -> float:
    """Do what journal, database and lock do; return how far our clock is ahead of the file system's [s].

    Raises OSError if an operation fails.
    """
    path, journal = folder / "file", folder / "journal"
    write_durably(path, b"one")
    write_durably(path, b"two")
    now = time.time()
    descriptor = os.open(journal, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND)
    try:
        for line in (b"first\n", b"second\n"):
            os.write(descriptor, line)
            os.fsync(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)
    if path.read_bytes() != b"two" or journal.read_bytes() != b"first\nsecond\n":
        raise OSError("a file does not hold what was written to it")
    return now - path.stat().st_mtime
