"""A watch speaks up once a limit is exceeded, never after its block."""

import subprocess
import sys
import threading
import time

import pytest

from noisebench.trial.watch import Limits, watched


def test_what_takes_too_long_is_told_with_where_it_is() -> None:
    told = threading.Event()
    seen = []

    def give_up(kind: str, _: str, where: str) -> None:
        seen.append((kind, where))
        told.set()

    with watched(Limits(100_000, 0.05), give_up):
        assert told.wait(60)
    ((kind, where),) = seen
    assert kind == "timeout"
    assert "test_what_takes_too_long" in where


def test_too_much_memory_is_told() -> None:
    told = threading.Event()
    with watched(Limits(1, 600), lambda kind, *_: told.set() if kind == "host-memory" else None):
        assert told.wait(60)


def test_nobody_watches_after_the_block() -> None:
    seen: list[object] = []
    with (
        pytest.raises(ValueError, match="broken"),
        watched(Limits(100_000, 0.3), lambda *given: seen.append(given)),
    ):
        raise ValueError("broken")
    time.sleep(0.6)
    assert seen == []
    assert "watch" not in {thread.name for thread in threading.enumerate()}


STUCK = """
import ctypes
from noisebench.trial import watch
watch.GRACE_SECONDS = 0.5
def give_up(*_):
    print("nobody can have called this", flush=True)
with watch.watched(watch.Limits(100_000, 0.3), give_up):
    ctypes.PyDLL(None).sleep(600)  # keeps the interpreter to itself, unlike CDLL
"""


def test_what_keeps_python_from_running_ends_without_a_word() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Timeout" in done.stderr
    assert 'File "<string>", line 8' in done.stderr
