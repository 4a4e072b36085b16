"""A node of Ray as child processes, from their start to the end of the last one."""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from noisebench.engine.node import OBJECT_STORE_BYTES
from noisebench.engine.scratch import private_scratch
from noisebench.errors import EnvironmentFault

HEAD_START_SECONDS = 120.0
END_SECONDS = 10.0
# A process in uninterruptible sleep, as on a dead file system, cannot be killed.
KILL_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RayNode:
    """A running `ray start --block` with the private folder it works in."""

    process: subprocess.Popen[bytes]
    scratch: Path

    @property
    def alive(self) -> bool:
        """Whether it is still part of a cluster: it ends by itself once its head is gone."""
        return self.process.poll() is None

    @property
    def starting(self) -> bool:
        """Whether a process of a trial starts here: thousands of them that import torch at once are slow."""
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.Error):  # it has just ended
                    if _is_starting(child.cmdline()):
                        return True
        return False

    def drain(self, seconds: float) -> None:
        """Take no more trials, wait up to `seconds` for those that run, then end."""
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()


def _is_starting(command: list[str]) -> bool:
    """Whether this is a worker process of Ray that imports its libraries, or an actor that is being made."""
    program = Path(command[0]).name if command else ""
    if program.startswith("python"):
        return any(word.endswith("default_worker.py") for word in command)
    return program.startswith("ray::") and ".__init__" in program


@dataclass(frozen=True)
class Join:
    """How a node joins the cluster at `head`: its address, its name, exactly its resources.

    On SIGTERM it drains for up to `drain_seconds`. `environment` is added to that of its trials. `spared` are
    the pids of children of this process that outlive the node, with all below them.
    """

    head: str
    address: str
    name: str
    cpus: int
    gpus: int
    drain_seconds: float
    environment: Mapping[str, str]
    spared: frozenset[int] = frozenset()


@contextmanager
def head_node(address: str, scratch: Path) -> Iterator[str]:
    """Start a head without resources; yield the address that others join.

    The token is taken from this process's environment. Raises EnvironmentFault if the head does not start.
    """
    # Draining is for workers: a head ends at once.
    variables = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}
    words = ["--head", "--port=0", "--include-dashboard=false", "--num-cpus=0", "--num-gpus=0"]
    words += [*client_server_words(), f"--node-ip-address={address}"]
    with _started(words, scratch, variables) as node:
        yield _await_address(node)


@contextmanager
def worker_node(join: Join) -> Iterator[RayNode]:
    """Join a cluster with exactly these resources; leave it at the end."""
    drain = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": f"{join.drain_seconds:.0f}"}
    words = [f"--address={join.head}", f"--node-ip-address={join.address}", f"--node-name={join.name}"]
    words += [f"--num-cpus={join.cpus}", f"--num-gpus={join.gpus}"]
    environment = {**join.environment, **drain}
    with private_scratch() as scratch, _started(words, scratch, environment, join.spared) as node:
        yield node


def client_server_words() -> list[str]:
    """Return the option that gives Ray's client server a free port, where Ray starts such a server.

    With grpcio installed it does, by default on 10001, where two heads on a node would clash.
    """
    if importlib.util.find_spec("grpc") is None:
        return []
    with socket.socket() as probe:
        probe.bind(("", 0))
        return [f"--ray-client-server-port={probe.getsockname()[1]}"]


@contextmanager
def _started(
    words: list[str], scratch: Path, environment: Mapping[str, str], spared: frozenset[int] = frozenset()
) -> Iterator[RayNode]:
    # Not the script `ray`: in a container or with `python:` it may lie anywhere.
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
    command += [f"--temp-dir={scratch / 'ray'}", f"--object-store-memory={OBJECT_STORE_BYTES}"]
    command += ["--dashboard-agent-listen-port=0", "--min-worker-port=0", "--max-worker-port=0", *words]
    _adopt_orphans()
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, preexec_fn=prepare_child
    )
    node = RayNode(process, scratch)
    try:
        yield node
    finally:
        node.process.terminate()
        try:
            node.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            node.process.kill()
            node.process.wait()
        end_descendants(spared=spared)


def prepare_child() -> None:
    """Prepare a child process that belongs to this one, before it executes its program."""
    # Slurm signals every process of a job; USR2 is for this one, and would kill Ray's.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    # If this process is killed alone, Ray's node ends itself with its children.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option}, {value})")


def _await_address(node: RayNode) -> str:
    deadline = time.monotonic() + HEAD_START_SECONDS
    file = node.scratch / "ray" / "ray_current_cluster"
    while time.monotonic() < deadline and node.alive:
        with suppress(FileNotFoundError):
            address = file.read_text().strip()
            if address:  # Ray first creates the file, then fills it
                return address
        time.sleep(0.2)
    what = f"has not started within {HEAD_START_SECONDS:.0f} s" if node.alive else "ended while it started"
    raise EnvironmentFault(
        f"Ray's head {what} on {socket.gethostname()}: the node may be overloaded; the driver's log has what "
        "Ray printed"
    )


def _adopt_orphans() -> None:
    """Become the parent of every process below whose own parent ends, so that all of them can be found."""
    # Their environment does not identify them: Ray's processes write their titles over it.
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_descendants(
    seconds: float = KILL_SECONDS, spared: frozenset[int] = frozenset()
) -> list[psutil.Process]:
    """Kill all descendants: a trial deep in a library does not react to SIGTERM. Return what is left.

    The children with the pids `spared`, and what is below them, live on.
    """
    deadline = time.monotonic() + seconds
    while True:
        remaining = _descendants(spared)
        for process in remaining:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not remaining:
            return []
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    states = ", ".join(f"{process.pid} ({_state(process)})" for process in remaining)
    _log.warning("processes that cannot be killed are left: %s", states)
    return remaining


def _descendants(spared: frozenset[int]) -> list[psutil.Process]:
    kept = set(spared)
    for pid in spared:
        with suppress(psutil.NoSuchProcess):
            kept |= {process.pid for process in psutil.Process(pid).children(recursive=True)}
    return [process for process in psutil.Process().children(recursive=True) if process.pid not in kept]


def _state(process: psutil.Process) -> str:
    try:
        return f"{process.name()}, {process.status()}"
    except psutil.NoSuchProcess:
        return "gone"
