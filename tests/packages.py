"""Programs that some tests need, installed from Debian's packages where that is allowed."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def missing(commands: Sequence[str]) -> list[str]:
    """Return those of the commands that this machine does not have."""
    return [command for command in commands if shutil.which(command, path=PATH) is None]


def need(commands: Sequence[str], packages: Sequence[str]) -> None:
    """Install the packages where a command is missing; if that fails, skip, or fail where CI=true."""
    if missing(commands) and os.geteuid() == 0 and shutil.which("apt-get"):
        # Of two apt-get at the same time, in two processes of the tests, one would fail.
        with (Path(tempfile.gettempdir()) / "noisebench-tests-packages.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if missing(commands):
                _install(packages)
    lacking = missing(commands)
    if lacking:
        stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        stop(f"{', '.join(lacking)} missing here; as root: apt-get install {' '.join(packages)}")


def _install(packages: Sequence[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        command = ["apt-get", "--quiet", *words]
        subprocess.run(command, env=environment, capture_output=True, check=False, timeout=900)
