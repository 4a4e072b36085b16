"""A node of Ray as processes of ours, from their start to the end of the last one."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from noisebench.engine.node import OBJECT_STORE_BYTES
from noisebench.engine.scratch import private_scratch

HEAD_START_SECONDS = 120.0
END_SECONDS = 10.0
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class RayNode:
    """A running `ray start --block` with the private folder it works in."""

    process: subprocess.Popen[bytes]
    scratch: Path

    @property
    def alive(self) -> bool:
        """Whether it is still part of a cluster: it ends by itself once its head is gone."""
        return self.process.poll() is None

    def drain(self, seconds: float) -> None:
        """Take no more trials, wait up to `seconds` for those that run, then end."""
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()


@contextmanager
def head_node(address: str, scratch: Path) -> Iterator[str]:
    """Start a head without resources of its own; yield the address that others join.

    What admits to it stands in this process's environment.
    """
    # Draining is for workers: a head ends at once.
    more = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}
    words = ["--head", "--port=0", "--include-dashboard=false", "--num-cpus=0", "--num-gpus=0"]
    with _started([*words, f"--node-ip-address={address}"], scratch, more) as node:
        yield _await_address(node)


@contextmanager
def worker_node(
    head: str, own: str, name: str, cpus: int, gpus: int, drain_seconds: float, environment: Mapping[str, str]
) -> Iterator[RayNode]:
    """Join the cluster at `head` as node `name` with exactly these resources; leave it at the end."""
    more = {**environment, "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": f"{drain_seconds:.0f}"}
    words = [f"--address={head}", f"--node-ip-address={own}", f"--node-name={name}"]
    words += [f"--num-cpus={cpus}", f"--num-gpus={gpus}"]
    with private_scratch() as scratch, _started(words, scratch, more) as node:
        yield node


@contextmanager
def _started(words: list[str], scratch: Path, environment: Mapping[str, str]) -> Iterator[RayNode]:
    # The `ray` beside this Python, whatever PATH says.
    command = [
        str(Path(sys.executable).parent / "ray"),
        "start",
        "--block",
        "--disable-usage-stats",
        f"--temp-dir={scratch / 'ray'}",
    ]
    command += [f"--object-store-memory={OBJECT_STORE_BYTES}", "--dashboard-agent-listen-port=0"]
    command += ["--min-worker-port=0", "--max-worker-port=0", *words]
    _adopt_orphans()
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        # Slurm signals every process of a job; USR2 is for us, and would kill Ray's.
        preexec_fn=_ignore_usr2,
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
        _end_the_rest()


def _ignore_usr2() -> None:
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def _await_address(node: RayNode) -> str:
    deadline = time.monotonic() + HEAD_START_SECONDS
    file = node.scratch / "ray" / "ray_current_cluster"
    while time.monotonic() < deadline and node.alive:
        try:
            return file.read_text().strip()
        except FileNotFoundError:
            time.sleep(0.2)
    raise RuntimeError(f"Ray's head did not start within {HEAD_START_SECONDS:.0f} s")


def _adopt_orphans() -> None:
    """Become the parent of every process below whose own parent ends, so that none is lost from sight."""
    # By their environment they could not be found: Ray's processes write their titles over it.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _end_the_rest() -> None:
    """Kill what outlived its `ray start`: a trial deep in a library does not hear SIGTERM."""
    while rest := list(_descendants(os.getpid())):
        for pid in rest:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.05)


def _descendants(parent: int) -> Iterator[int]:
    children = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # gone by now
            # The second field is the name, in brackets, and may hold anything.
            fields = stat.read_text().rpartition(")")[2].split()
            children[int(fields[1])].append(int(stat.parent.name))
    found = children[parent]
    while found:
        yield from found
        found = [grandchild for child in found for grandchild in children[child]]
