"""A worker's MPS daemon: started, seen to have clients, watched, ended."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from noisebench.errors import EnvironmentFault
from noisebench.slurm import mps
from noisebench.slurm.mps import MpsDaemon, mps_daemon, uuids_of
from noisebench.slurm.ray_node import end_descendants
from tests.slurm import fake_mps

PROGRAM = (sys.executable, "-IS", fake_mps.__file__)
CLIENT = (*PROGRAM, "client")
SMI = "#!/bin/sh\necho '0, GPU-aa'\necho '1, GPU-bb'\n"


@pytest.fixture(autouse=True)
def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (
        ("nvidia-cuda-mps-control", f'#!/bin/sh\nexec {" ".join(PROGRAM)} "$@"\n'),
        ("nvidia-smi", SMI),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


def folder_of(daemon: MpsDaemon) -> Path:
    return Path(daemon.environment["CUDA_MPS_PIPE_DIRECTORY"])


@pytest.mark.slow
def test_a_daemon_has_a_folder_of_its_own_and_leaves_nothing() -> None:
    with mps_daemon("1,0", CLIENT) as daemon:
        pipe = folder_of(daemon)
        assert len(str(pipe)) < 60
        assert pipe.parent.stat().st_mode & 0o077 == 0
        assert daemon.environment["CUDA_VISIBLE_DEVICES"] == "GPU-bb,GPU-aa"
        assert (pipe / "devices").read_text() == "GPU-bb,GPU-aa"
        assert daemon.environment["CUDA_MPS_LOG_DIRECTORY"] == str(pipe.parent / "log")
        (server,) = daemon.servers()
        daemon.check()
        # Ray's node ends, and every process below this one, but not the daemon and its server.
        assert end_descendants(spared=frozenset({daemon.process.pid})) == []
        assert daemon.servers() == [server]
        assert psutil.pid_exists(int(server))
    assert daemon.process.returncode == 0, "it was told to quit"
    assert not psutil.pid_exists(int(server))
    assert not pipe.parent.exists()


@pytest.mark.slow
def test_a_daemon_that_dies_is_a_fault_and_its_server_ends() -> None:
    with mps_daemon("0", CLIENT) as daemon:
        daemon.check()
        (server,) = daemon.servers()
        children = psutil.Process(daemon.process.pid).children()
        assert [str(child.pid) for child in children] == [server]
        daemon.process.kill()
        daemon.process.wait()
        with pytest.raises(EnvironmentFault, match="the daemon ended with code -9"):
            daemon.check()
        children[0].kill()  # adopted by another process, as the cgroup of a job would end it
    assert not folder_of(daemon).exists()


@pytest.mark.slow
def test_a_fault_that_clients_do_not_clear_is_one_of_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mps, "LOOK_SECONDS", 0.0)
    with mps_daemon("0", CLIENT) as daemon:
        fault = folder_of(daemon) / "fault"
        fault.touch()
        daemon.check()
        fault.unlink()
        daemon.check()
        fault.touch()
        monkeypatch.setattr(mps, "FAULT_SECONDS", 0.0)
        with pytest.raises(EnvironmentFault, match="a client's fatal error has blocked a GPU"):
            daemon.check()


@pytest.mark.parametrize(
    ("mode", "client", "message"),
    [
        ("broken", CLIENT, "does not start: Cannot create the control socket: permission denied"),
        ("lost", CLIENT, "a program uses a GPU without being the daemon's client"),
        ("", (sys.executable, "-ISc", "raise SystemExit('no kernel image')"), "cannot use a GPU: no kernel"),
    ],
)
def test_a_worker_without_its_daemon_ends_with_the_reason(
    mode: str, client: Sequence[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MPS", mode)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with pytest.raises(EnvironmentFault, match=message) as fault, mps_daemon("0", client):
        pass
    assert "set `mps: false` in the site" in str(fault.value)
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_without_the_program_the_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with (
        pytest.raises(EnvironmentFault, match="nvidia-cuda-mps-control cannot be started: No such file"),
        mps_daemon("GPU-aa", CLIENT),
    ):
        pass


def test_gpus_are_named_by_uuid() -> None:
    assert uuids_of("GPU-cc,MIG-dd") == "GPU-cc,MIG-dd"
    assert uuids_of("0,1") == "GPU-aa,GPU-bb"
    with pytest.raises(EnvironmentFault, match="names no GPU 2, which CUDA_VISIBLE_DEVICES \\(0,2\\) has"):
        uuids_of("0,2")
