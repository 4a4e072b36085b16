"""Memory and time limits of a trial, enforced in its process."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from noisebench.trial.memory import ResidentMemory

INTERVAL_SECONDS = 0.2
# If the watch thread cannot run, the process is killed without a record after this delay.
GRACE_SECONDS = 20.0
_STDERR = 2


@dataclass(frozen=True)
class Limits:
    """Limits of a trial: resident memory including child processes, and seconds."""

    memory_mb: float
    seconds: float


# Called with the kind of failure, the reason and the trial's stack; ends the process.
GiveUp = Callable[[str, str, str], None]


@contextmanager
def watched(limits: Limits | None, give_up: GiveUp) -> Iterator[None]:
    """Call `give_up` in another thread as soon as the block exceeds a limit; None sets no limit.

    The block's thread may hang in a library, so an exception could not end it. `give_up` is not called after
    the end of the block; the block does not end while `give_up` runs. If a library blocks the interpreter,
    the process ends without `give_up`, with its stacks on stderr.
    """
    if limits is None:
        yield
        return
    finished = threading.Event()
    arguments = (limits, finished, give_up, threading.get_ident())
    thread = threading.Thread(target=_watch, args=arguments, name="watch", daemon=True)
    thread.start()
    # This timer runs in C, without the interpreter.
    faulthandler.dump_traceback_later(limits.seconds + GRACE_SECONDS, file=_STDERR, exit=True)
    try:
        yield
    finally:
        finished.set()
        thread.join()
        faulthandler.cancel_dump_traceback_later()


def _watch(limits: Limits, finished: threading.Event, give_up: GiveUp, watched_thread: int) -> None:
    memory, began = ResidentMemory(os.getpid()), time.monotonic()
    while not finished.wait(INTERVAL_SECONDS):
        exceeded = _exceeded(limits, memory.mb(), time.monotonic() - began)
        if exceeded is not None:
            faulthandler.cancel_dump_traceback_later()
            give_up(*exceeded, _stack(watched_thread))
            return


def _exceeded(limits: Limits, memory_mb: float, seconds: float) -> tuple[str, str] | None:
    if memory_mb > limits.memory_mb:
        return "host-memory", (
            f"took {memory_mb:.0f} MB, more than its share of {limits.memory_mb:.0f} MB; give trials more "
            "memory (--memory-gb, on Slurm the worker's memory_gb), or run fewer at a time"
        )
    if seconds > limits.seconds:
        return "timeout", (
            f"not done after {seconds / 60:.1f} minutes, the limit is {limits.seconds / 60:.1f}; raise it "
            "with --allowance-minutes, on Slurm with the site's allowance_minutes"
        )
    return None


def _stack(thread: int) -> str:
    frame = sys._current_frames().get(thread)
    return "" if frame is None else "".join(traceback.format_stack(frame))
