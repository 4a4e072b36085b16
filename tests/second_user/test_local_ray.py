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

REFUSED = "InvalidAuthToken: Authentication token is missing or incorrect"
# Calls Ray's control service: lists the nodes, then writes a key. Every process that joins a Ray makes such
# calls. The owner calls first, which also imports modules that the other user may not be able to read. Then
# the other user calls without a token, with a wrong token, and with the owner's. Prints each outcome.
ATTEMPTS = f"""
import os, sys
from ray._raylet import AuthenticationTokenLoader, Config, GcsClient

address, token = sys.argv[1], os.environ["RAY_AUTH_TOKEN"]

def ask():
    GcsClient(address=address).get_all_node_info(timeout=60)
    return "answered"

def write():
    GcsClient(address=address).internal_kv_put(b"key", b"value", True, b"fun", 60)
    return "written"

def attempt(who, call):
    try:
        outcome = str(call())
    except Exception as error:
        outcome = f"{{type(error).__name__}}: {{error}}"
    print(f"{{who}} {{call.__name__}}: {{outcome.splitlines()[0]}}", flush=True)

for call in (ask, write):
    attempt("owner", call)
os.setgroups([]), os.setgid({OTHER}), os.setuid({OTHER})
os.environ["HOME"] = "/nonexistent"
for who, mode, known in (("none", "disabled", ""), ("wrong", "token", "0" * 64), ("right", "token", token)):
    os.environ.update(RAY_AUTH_MODE=mode, RAY_AUTH_TOKEN=known)
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()
    for call in (ask, write):
        attempt(who, call)
os._exit(0)  # what is left of the attempts need not be ended in order
"""


def test_the_token_of_the_local_ray_cannot_be_read() -> None:
    with private_scratch(Path("/tmp")) as scratch:
        write_token(scratch / "token")
        done = as_other_user(f"cat {scratch}/token || ls {scratch}")
        assert (done.returncode != 0, done.stdout) == (True, "")
        assert done.stderr.count("Permission denied") == 2


def test_another_user_cannot_use_the_ray_of_a_run(place: Path) -> None:
    """The address is in the arguments of the processes, the token is not; the same calls need it."""
    (place / "sweep.yaml").write_text(sweep_text(name="demo", training="{epochs: 3000}", seeds="2"))
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
            outcomes = _attempts(arguments["--gcs-address"], token)
            assert outcomes == {
                **{"owner ask": "answered", "owner write": "written"},
                **{"none ask": REFUSED, "none write": REFUSED},
                **{"wrong ask": REFUSED, "wrong write": REFUSED},
                # Nothing but the token keeps the other user out.
                **{"right ask": "answered", "right write": "written"},
            }
            assert run.poll() is None, "the run has ended before the second user tried"
        finally:
            run.terminate()
            run.communicate(timeout=240)


def _attempts(address: str, token: str) -> dict[str, str]:
    """Return what each attempt to use the Ray at `address` led to, by who made it and the call."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, address],
        env={**variables, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    return {name: REFUSED if REFUSED in outcome else outcome for name, outcome in outcomes.items()}


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
