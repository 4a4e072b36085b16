"""Another user cannot use the Ray that `noisebench run` starts."""

import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from noisebench.engine.ray_session import write_token
from noisebench.engine.scratch import private_scratch
from tests.command import COMMAND
from tests.second_user.other_user import as_other_user
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


def test_another_user_cannot_read_what_gives_access_to_the_ray_of_a_run(place: Path) -> None:
    """The address is in the arguments of the processes, the token is not.

    That Ray refuses who has no token, or another, is shown in tests/engine/test_ray_session.py.
    """
    (place / "sweep.yaml").write_text(sweep_text(name="demo", training="{epochs: 300}", seeds="2"))
    words = [*COMMAND, "run", "sweep.yaml", "--results", str(place / "results"), "--cpus", "1"]
    with subprocess.Popen(words, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        try:
            arguments = _arguments_of_raylet(run.pid)
            assert arguments["--gcs-address"].startswith("127.0.0.1:")
            session = Path(arguments["--session_dir"])
            folder = next(path for path in session.parents if path.name.startswith("noisebench-"))
            token = (folder / "token").read_text()
            assert not [word for word in arguments.values() if token in word]
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
