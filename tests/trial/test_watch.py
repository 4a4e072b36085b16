"""A watch calls `give_up` when a limit is exceeded, and never after its block."""

import subprocess
import sys
import threading
import time

import pytest

from noisebench.trial.watch import Limits, watched


def test_exceeding_the_time_limit_is_reported_with_the_stack() -> None:
    called = threading.Event()
    calls = []

    def give_up(kind: str, _: str, stack: str) -> None:
        calls.append((kind, stack))
        called.set()

    with watched(Limits(100_000, 0.05), give_up):
        assert called.wait(60)
    ((kind, stack),) = calls
    assert kind == "timeout"
    assert "test_exceeding_the_time_limit" in stack


def test_exceeding_the_memory_limit_is_reported() -> None:
    called = threading.Event()
    with watched(Limits(1, 600), lambda kind, *_: called.set() if kind == "host-memory" else None):
        assert called.wait(60)


@pytest.mark.slow
def test_the_watch_ends_with_its_block() -> None:
    calls: list[object] = []
    with (
        pytest.raises(ValueError, match="broken"),
        watched(Limits(100_000, 0.3), lambda *arguments: calls.append(arguments)),
    ):
        raise ValueError("broken")
    time.sleep(0.6)
    assert calls == []
    assert "watch" not in {thread.name for thread in threading.enumerate()}


STUCK = """
import ctypes
from noisebench.trial import watch
watch.GRACE_SECONDS = 0.5
def give_up(*_):
    print("must not be called", flush=True)
with watch.watched(watch.Limits(100_000, 0.3), give_up):
    ctypes.PyDLL(None).sleep(600)  # holds the interpreter lock, unlike CDLL
"""


@pytest.mark.slow
def test_a_process_that_blocks_the_interpreter_is_ended() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Timeout" in done.stderr
    assert 'File "<string>", line 8' in done.stderr
