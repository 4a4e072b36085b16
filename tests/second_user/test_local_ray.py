"""Another user cannot use the Ray that `noisebench run` starts."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from noisebench.engine.ray_session import write_token
from noisebench.engine.scratch import private_scratch
from tests.command import COMMAND
from tests.second_user.other_user import OTHER, as_other_user
from tests.trials import sweep_text

pytestmark = [
    pytest.mark.slow,
    pytest.mark.ray,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can act as a second user"),
]


def test_the_token_of_the_local_ray_cannot_be_read() -> None:
    with private_scratch(Path("/tmp")) as scratch:
        write_token(scratch / "token")
        done = as_other_user(f"cat {scratch}/token || ls {scratch}")
        assert (done.returncode != 0, done.stdout) == (True, "")
        assert done.stderr.count("Permission denied") == 2


def test_another_user_can_neither_join_nor_use_the_ray_of_a_run(place: Path) -> None:
    """With all that others can see of the processes: their arguments, which name address and folders."""
    (place / "sweep.yaml").write_text(sweep_text(name="demo", training="{epochs: 300}", seeds="2"))
    words = [*COMMAND, "run", "sweep.yaml", "--results", str(place / "results"), "--cpus", "1"]
    with subprocess.Popen(words, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        try:
            arguments = _arguments_of_raylet(run.pid)
            address = arguments["--gcs-address"]
            refused = {token: _join_as_other(address, token) for token in ("", "0" * 64)}
            assert all("JOINED" not in text and "RAN" not in text for text in refused.values()), refused
            assert all("InvalidAuthToken" in text for text in refused.values()), refused
            session = Path(arguments["--session_dir"])
            folder = next(path for path in session.parents if path.name.startswith("noisebench-"))
            listed = as_other_user(f"ls {folder}; cat {folder}/token; cat /proc/{run.pid}/environ")
            assert listed.stdout == ""
            assert listed.stderr.count("Permission denied") == 3
            assert run.poll() is None, "the run has ended before the second user tried"
        finally:
            run.terminate()
            run.communicate(timeout=60)


def _arguments_of_raylet(pid: int) -> dict[str, str]:
    """Wait for the Ray that a process starts; return its raylet's arguments, which everybody can read."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                if child.name() == "raylet":
                    return {
                        name: value for name, _, value in (word.partition("=") for word in child.cmdline())
                    }
        time.sleep(0.5)
    raise AssertionError("no Ray was started")


def _join_as_other(address: str, token: str) -> str:
    """Try, as the other user, to join a Ray and to run a task on it; return the output.

    The process tries first as the first user, with the same token: this imports what the other one may not be
    able to read.
    """
    code = f"""
import os, tempfile
import ray
home = tempfile.mkdtemp(dir="/tmp")
os.environ["HOME"] = home
if {token!r}:
    open(f"{{home}}/token", "w").write({token!r})
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=f"{{home}}/token")
    os.chown(f"{{home}}/token", {OTHER}, {OTHER})
os.chown(home, {OTHER}, {OTHER})
def join():
    ray.init(address={address!r}, logging_level="ERROR")
    print("JOINED")
    print(ray.get(ray.remote(lambda: "RAN").remote()))
try:
    join()
except Exception:
    ray.shutdown()
os.setgroups([]), os.setgid({OTHER}), os.setuid({OTHER})
print("as the second user:", os.getuid())
join()
"""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=kept, timeout=240, check=False
    )
    assert f"as the second user: {OTHER}" in done.stdout, done.stderr
    return done.stdout + done.stderr
