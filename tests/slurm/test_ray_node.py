"""No process outlives the node of Ray that it belonged to."""

import importlib.util
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from noisebench.slurm.ray_node import RayNode, _await_address, client_server_words, end_descendants

# A child that ends before its own child, which then is adopted.
SCRIPT = """
import subprocess, sys
from pathlib import Path
from noisebench.slurm.ray_node import _adopt_orphans, end_descendants

_adopt_orphans()
orphan = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(600)"
start = f"subprocess.Popen([sys.executable, '-c', {orphan!r}], stdout=subprocess.PIPE)"
child = f"import os, subprocess, sys; print({start}.stdout.readline().decode(), flush=True); os._exit(0)"
subprocess.run([sys.executable, "-c", child], check=True)
print(len(end_descendants()))
"""


def test_orphans_are_ended() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    orphan, left = done.stdout.split()
    assert orphan.isdecimal()
    assert not Path(f"/proc/{orphan}").exists()
    assert left == "0"


# Stands for the job's Python; it starts what Popen starts for Ray, and is then killed alone.
KILLED = """
import os, signal, subprocess
from noisebench.slurm.ray_node import prepare_child

child = subprocess.Popen(["sleep", "600"], preexec_fn=prepare_child)
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_rays_node_ends_when_its_python_is_killed_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    child = int(done.stdout)
    deadline = time.monotonic() + 60
    while lives(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not lives(child)


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended stays a zombie until the machine's first process asks."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_processes_that_cannot_be_killed_are_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Kill is replaced: a process in uninterruptible sleep cannot be made at will.
    monkeypatch.setattr(psutil.Process, "kill", lambda _: None)
    sleeper = subprocess.Popen(["sleep", "600"])
    while psutil.Process(sleeper.pid).status() != psutil.STATUS_SLEEPING:
        time.sleep(0.01)
    try:
        remaining = end_descendants(seconds=0.2)
        assert sleeper.pid in [process.pid for process in remaining]
        assert f"{sleeper.pid} (sleep, sleeping)" in caplog.text
    finally:
        monkeypatch.undo()
        sleeper.kill()
        sleeper.wait()


def test_two_heads_with_grpcio_take_different_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "grpc.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with socket.socket() as taken:
        (first,) = client_server_words()
        taken.bind(("", int(first.split("=")[1])))
        (second,) = client_server_words()
    assert first != second
    assert first.startswith("--ray-client-server-port=")


def test_without_grpcio_there_is_no_client_server() -> None:
    if importlib.util.find_spec("grpc") is not None:
        pytest.skip("grpcio is installed")
    assert client_server_words() == []


# Stands for `ray start`, which creates its file, and writes the address into it later.
STARTING = """
import sys, time
with open(sys.argv[1], "w") as file:
    print("created", flush=True)
    time.sleep(1)
    file.write("10.0.0.1:6379\\n")
time.sleep(600)
"""


@pytest.mark.slow
def test_the_address_of_a_head_is_awaited_until_rays_file_has_it(tmp_path: Path) -> None:
    file = tmp_path / "ray/ray_current_cluster"
    file.parent.mkdir()
    with subprocess.Popen([sys.executable, "-c", STARTING, str(file)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            assert _await_address(RayNode(process, tmp_path)) == "10.0.0.1:6379"
        finally:
            process.kill()
