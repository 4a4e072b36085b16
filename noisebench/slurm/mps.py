"""A worker's own daemon of NVIDIA's Multi-Process Service (MPS), through which its trials share GPUs.

Without MPS, processes on one GPU only take turns. CUDA programs look for the daemon in a folder that an
environment variable names; one that finds none runs without MPS and says nothing, so a daemon is used only
after a program was seen among its clients.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from noisebench.engine.scratch import private_scratch
from noisebench.errors import EnvironmentFault
from noisebench.records import provenance
from noisebench.slurm.ray_node import prepare_child

START_SECONDS = 30.0
ANSWER_SECONDS = 10.0
# The client imports torch, on many nodes at once from one file system.
CLIENT_SECONDS = 300.0
# A fault ends when the clients of that GPU have ended, which their own errors make them do.
FAULT_SECONDS = 60.0
LOOK_SECONDS = 10.0

_CONTROL = "nvidia-cuda-mps-control"
_FIX = "correct that, or set `mps: false` in the site"
# Uses a GPU until its input ends.
_CLIENT_CODE = (
    "import sys, torch; torch.zeros(1, device='cuda'); print('ready', flush=True); sys.stdin.read()"
)
CLIENT = (sys.executable, "-c", _CLIENT_CODE)


class MpsDaemon:
    """A running daemon; `environment` makes a program its client."""

    def __init__(self, process: subprocess.Popen[bytes], environment: Mapping[str, str]) -> None:
        self.process = process
        self.environment = environment
        self._next_look = 0.0
        self._faulty_since: float | None = None

    def ask(self, command: str) -> str:
        """Return the daemon's answer; raises EnvironmentFault if there is none."""
        try:
            done = subprocess.run(
                [_CONTROL],
                input=f"{command}\n",
                env={**os.environ, **self.environment},
                capture_output=True,
                text=True,
                timeout=ANSWER_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _fault(f"no answer to `{command}` within {ANSWER_SECONDS:.0f} s") from None
        if done.returncode:
            raise _fault(f"`{command}`: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def servers(self) -> list[str]:
        """Return the pids of the servers, which exist once there was a client."""
        return self.ask("get_server_list").split()

    def clients(self) -> list[str]:
        """Return the pids of the programs that use a GPU through this daemon."""
        return [pid for server in self.servers() for pid in self.ask(f"get_client_list {server}").split()]

    def check(self) -> None:
        """Raise EnvironmentFault if trials can no longer use the GPUs; asks the daemon now and then."""
        now = time.monotonic()
        if self.process.poll() is not None:
            raise _fault(f"the daemon ended with code {self.process.returncode}")
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        if not any("FAULT" in self.ask(f"get_server_status {server}") for server in self.servers()):
            self._faulty_since = None
            return
        self._faulty_since = self._faulty_since or now
        if now - self._faulty_since >= FAULT_SECONDS:
            raise _fault(f"a client's fatal error has blocked a GPU for {FAULT_SECONDS:.0f} s")


@contextmanager
def mps_daemon(devices: str, client: Sequence[str] = CLIENT) -> Iterator[MpsDaemon]:
    """Start a daemon for the GPUs of a CUDA_VISIBLE_DEVICES, yield it, end it afterwards.

    Raises EnvironmentFault if it does not start, or if the program `client` uses a GPU without it.
    """
    # In /tmp: the path of a socket has at most 107 bytes, and the folder must be on the node itself.
    with private_scratch(Path("/tmp")) as folder:
        pipe, log = folder / "pipe", folder / "log"
        pipe.mkdir()
        log.mkdir()
        # The daemon would number the GPUs anew, and its clients use numbers of their own: only UUIDs agree.
        environment = {
            provenance.MPS_VARIABLE: str(pipe),
            "CUDA_MPS_LOG_DIRECTORY": str(log),
            "CUDA_VISIBLE_DEVICES": uuids_of(devices),
        }
        daemon = MpsDaemon(_process(environment, log), environment)
        try:
            _await_start(daemon, log)
            _verify(daemon, client)
            yield daemon
        finally:
            _end(daemon)


def uuids_of(devices: str) -> str:
    """Return a CUDA_VISIBLE_DEVICES with the UUIDs of its devices instead of their numbers."""
    if not any(device.isdecimal() for device in devices.split(",")):
        return devices
    query = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=START_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _fault(f"nvidia-smi does not tell the UUIDs of the GPUs ({error})") from None
    uuids = dict(line.replace(" ", "").split(",", 1) for line in done.stdout.splitlines() if "," in line)
    missing = [device for device in devices.split(",") if device.isdecimal() and device not in uuids]
    if missing:
        raise _fault(f"nvidia-smi names no GPU {missing[0]}, which CUDA_VISIBLE_DEVICES ({devices}) has")
    return ",".join(uuids.get(device, device) for device in devices.split(","))


def _process(environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with (log / "start.log").open("wb") as output:
        try:
            # In the foreground, so that it is a child of this process.
            return subprocess.Popen(
                [_CONTROL, "-f"],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=prepare_child,
            )
        except OSError as error:
            raise _fault(f"{_CONTROL} cannot be started: {error.strerror}") from None


def _await_start(daemon: MpsDaemon, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while daemon.process.poll() is None and time.monotonic() < deadline:
        with suppress(EnvironmentFault):
            daemon.servers()
            return
        time.sleep(0.1)
    output = (log / "start.log").read_text(errors="replace").strip().splitlines()
    raise _fault(f"{_CONTROL} does not start: {output[-1] if output else 'no output'}")


def _verify(daemon: MpsDaemon, client: Sequence[str]) -> None:
    """Raise EnvironmentFault unless a program that uses a GPU becomes a client of the daemon."""
    pipe = subprocess.PIPE
    environment = {**os.environ, **daemon.environment}
    with subprocess.Popen(client, env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], CLIENT_SECONDS)
            if not ready:
                raise _fault(f"a program has not used a GPU within {CLIENT_SECONDS:.0f} s")
            if process.stdout.readline().strip() != b"ready":
                assert process.stderr is not None
                errors = process.stderr.read().decode(errors="replace").strip().splitlines()
                raise _fault(f"a program cannot use a GPU: {errors[-1] if errors else 'it ended'}")
            if not daemon.clients():
                raise _fault("a program uses a GPU without being the daemon's client")
        finally:
            with suppress(OSError):
                process.communicate(timeout=ANSWER_SECONDS)
            process.kill()


def _end(daemon: MpsDaemon) -> None:
    """Let the daemon quit; kill it and its servers if it does not."""
    process = daemon.process
    with suppress(EnvironmentFault, subprocess.TimeoutExpired):
        if process.poll() is None:
            daemon.ask("quit")
            process.wait(ANSWER_SECONDS)
    with suppress(psutil.NoSuchProcess):
        for remaining in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                remaining.kill()
    process.kill()
    process.wait()


def _fault(reason: str) -> EnvironmentFault:
    return EnvironmentFault(f"MPS on {provenance.host()}: {reason}; {_FIX}")
