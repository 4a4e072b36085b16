"""What a node offers, checked by a job in the place of a driver or a worker."""

from __future__ import annotations

import fcntl
import json
import platform
import shutil
import socket
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from noisebench.catalogue.files import DataFile
from noisebench.engine.preflight import Finding, data_findings, machine_findings, results_findings
from noisebench.errors import EnvironmentFault
from noisebench.records import provenance
from noisebench.records.durable import write_durably
from noisebench.records.folders import ResultsFolder
from noisebench.slurm.allocation import own_address
from noisebench.slurm.data_copy import scratch_folder

LISTEN_SECONDS = 240.0
# How long a worker's probe waits for the driver's; within the time limit of both (PROBE_MINUTES).
MEET_SECONDS = 180.0

_NOT_CHECKED = Finding(
    "network",
    "not checked: the driver's probe did not listen while this one ran",
    f"run it again when Slurm starts both within {MEET_SECONDS / 60:.0f} minutes; `sinfo` shows free nodes",
)


@dataclass(frozen=True)
class Probe:
    """What is checked on a node.

    `folder` is shared; it holds a file `word` with the word, and a file `lock` that the node which sent the
    probe keeps locked.
    """

    role: str
    folder: Path
    word: str
    results: ResultsFolder
    interface: tuple[str, ...]
    scratch: str | None
    gpu: bool
    data_dir: Path | None
    files: tuple[DataFile, ...]

    @property
    def answer(self) -> Path:
        """Where the node writes what it found."""
        return self.folder / f"{self.role}.json"

    @property
    def listening(self) -> Path:
        """Where the driver's probe writes at which address it listens."""
        return self.folder / "listening.json"


def look(probe: Probe) -> None:
    """Check a node and write the findings; runs inside a job."""
    address, listener = _address(probe)
    findings = [address, *_commands(probe), _scratch(probe), _lock(probe)]
    findings += machine_findings(gpu=probe.gpu)
    findings += [*results_findings(probe.results), *data_findings(probe.files, probe.data_dir)]
    if probe.role != "driver" and address.ok:
        if not probe.listening.exists():
            _answer(probe, [*findings, _NOT_CHECKED], final=False)
        findings.append(_reach_driver(probe))
    _answer(probe, findings, final=True)
    if listener is not None:
        # The worker's probe connects to this process; the survey cancels both.
        with listener:
            time.sleep(LISTEN_SECONDS)


def _answer(probe: Probe, findings: list[Finding], *, final: bool) -> None:
    """Write what was found; where it is not `final`, the survey waits for more as long as it can."""
    answer = {
        "word": (probe.folder / "word").read_text(),
        "host": provenance.host(),
        "python": platform.python_version(),
        "source": provenance.source_hash(),
        "findings": [asdict(finding) for finding in findings],
        "final": final,
    }
    write_durably(probe.answer, json.dumps(answer).encode())


def _address(probe: Probe) -> tuple[Finding, socket.socket | None]:
    """Find this node's address, where a driver then listens."""
    try:
        address = own_address(probe.interface)
    except EnvironmentFault as fault:
        return Finding("address", str(fault), "correct `interface:` in the site"), None
    listener = _listen(probe, address) if probe.role == "driver" else None
    return Finding("address", address), listener


def _listen(probe: Probe, address: str) -> socket.socket:
    listener = socket.create_server((address, 0))
    place = {"address": address, "port": listener.getsockname()[1]}
    write_durably(probe.listening, json.dumps(place).encode())
    return listener


def _reach_driver(probe: Probe) -> Finding:
    deadline = time.monotonic() + MEET_SECONDS
    while not probe.listening.exists():
        if time.monotonic() > deadline:
            return _NOT_CHECKED
        time.sleep(1)
    place = json.loads(probe.listening.read_text())
    where = f"{place['address']} port {place['port']}"
    try:
        socket.create_connection((place["address"], place["port"]), timeout=10).close()
    except OSError as error:
        fix = "let the administrator open TCP ports among compute nodes, or choose another `interface:`"
        return Finding("network", f"no connection to the driver's node, {where}: {error}", fix)
    return Finding("network", f"the driver's node answers at {where}")


def _commands(probe: Probe) -> list[Finding]:
    """Look for the commands that a driver uses, which an image may lack."""
    if probe.role != "driver":
        return []
    missing = [
        command for command in ("sbatch", "squeue", "scancel", "scontrol") if not shutil.which(command)
    ]
    if not missing:
        return [Finding("commands", "Slurm's commands are there")]
    fix = "install them on that node, or bind them with their configuration and munge into the container"
    return [Finding("commands", f"{', '.join(missing)}: command not found; no standby can be queued", fix)]


def _scratch(probe: Probe) -> Finding:
    try:
        folder = scratch_folder(probe.scratch)
        with tempfile.TemporaryDirectory(prefix="noisebench-", dir=folder):
            free_gb = shutil.disk_usage(folder).free / 1024**3
    except EnvironmentFault as fault:
        return Finding("scratch", str(fault), "correct `folders.scratch` in the site")
    except OSError as error:
        seen = f"a folder cannot be made: {error.strerror or error}"
        return Finding("scratch", seen, "correct `folders.scratch` in the site")
    return Finding("scratch", f"{folder}: {free_gb:.0f} GiB free")


def _lock(probe: Probe) -> Finding:
    with (probe.folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return Finding("lock", "a lock of another node is seen here")
        except OSError as error:
            fix = "mount it with locks, such as Lustre's option flock, or choose another results folder"
            return Finding("lock", f"files cannot be locked here: {error.strerror}", fix)
    return Finding("lock", "locks of other nodes are not seen here; Slurm keeps two drivers apart")
