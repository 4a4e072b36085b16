"""The local Ray listens only on the loopback interface and requires the token of its run."""

import contextlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import ray

from noisebench.engine.ray_session import local_ray

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

JOIN = "import ray, sys; ray.init(address=sys.argv[1], logging_level='ERROR'); print('joined')"


def listening_addresses() -> set[str]:
    """Return the addresses on which this process and its descendants listen."""
    me = psutil.Process()
    found = set()
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            connections = process.net_connections("inet")
            found |= {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN}
    return {address.removeprefix("::ffff:") for address in found}


def join(address: str, **variables: str) -> str:
    """Try to join the Ray at `address` from a new process; return its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    done = subprocess.run(
        [sys.executable, "-c", JOIN, address],
        capture_output=True,
        text=True,
        env={**environment, **variables},
        check=False,
    )
    return done.stdout + done.stderr


def test_ray_accepts_only_local_processes_with_the_token(tmp_path: Path) -> None:
    before = listening_addresses()
    assert before <= {"127.0.0.1"}
    for _ in range(2):  # a process can start one Ray after another
        with local_ray(cpus=1, gpus=0) as scratch:
            assert listening_addresses() == {"127.0.0.1"}
            token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
            assert token.parent == scratch.parent
            assert stat.S_IMODE(token.stat().st_mode) == 0o600
            assert stat.S_IMODE(token.parent.stat().st_mode) == 0o700
            address = ray.get_runtime_context().gcs_address
            other = tmp_path / "other"
            other.write_text("0" * 64)
            refused = [
                join(address, HOME=str(tmp_path)),
                join(address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(other)),
            ]
            assert all("InvalidAuthToken" in text for text in refused)
            assert "joined" not in "".join(refused)
            assert "joined" in join(address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token))
        assert not token.exists()
    assert "RAY_AUTH_TOKEN_PATH" not in os.environ
