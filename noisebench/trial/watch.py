"""A trial watched from within its process, which gives itself up before it harms its neighbours."""

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

from noisebench.trial.memory import resident_mb

LOOK_SECONDS = 0.2
# How much later than the watch the last resort acts, which leaves no record.
GRACE_SECONDS = 20.0
_STDERR = 2


@dataclass(frozen=True)
class Limits:
    """What a trial may take: so much resident memory with its child processes, so many seconds."""

    memory_mb: float
    seconds: float


# Takes the kind of failure, what was seen, where the trial was; ends the process.
GiveUp = Callable[[str, str, str], None]


@contextmanager
def watched(limits: Limits | None, give_up: GiveUp) -> Iterator[None]:
    """Call `give_up` in a thread of its own as soon as the block exceeds a limit; None limits nothing.

    The block's own thread may hang deep in a library, where no exception reaches it. Once the block is left
    `give_up` is not called any more; if it is being called already, the block is not left at all. Where the
    library keeps all of Python from running, the process is ended without it, its stacks on stderr.
    """
    if limits is None:
        yield
        return
    left = threading.Event()
    arguments = (limits, left, give_up, threading.get_ident())
    thread = threading.Thread(target=_watch, args=arguments, name="watch", daemon=True)
    thread.start()
    # A thread without Python, for when none of Python's may run.
    faulthandler.dump_traceback_later(limits.seconds + GRACE_SECONDS, file=_STDERR, exit=True)
    try:
        yield
    finally:
        left.set()
        thread.join()
        faulthandler.cancel_dump_traceback_later()


def _watch(limits: Limits, left: threading.Event, give_up: GiveUp, watched_thread: int) -> None:
    begun = time.monotonic()
    while not left.wait(LOOK_SECONDS):
        exceeded = _exceeded(limits, time.monotonic() - begun)
        if exceeded is not None:
            faulthandler.cancel_dump_traceback_later()
            give_up(*exceeded, _stack(watched_thread))
            return


def _exceeded(limits: Limits, seconds: float) -> tuple[str, str] | None:
    memory_mb = resident_mb(os.getpid())
    if memory_mb > limits.memory_mb:
        return "host-memory", (
            f"took {memory_mb:.0f} MB, more than its share of {limits.memory_mb:.0f} MB; give trials more "
            "memory (--memory-gb, on Slurm the worker's memory_gb), or run fewer side by side"
        )
    if seconds > limits.seconds:
        return "timeout", (
            f"not done after {seconds / 60:.1f} minutes, where {limits.seconds / 60:.1f} are allowed; "
            "--allowance-minutes allows more, on Slurm the site's allowance_minutes"
        )
    return None


def _stack(thread: int) -> str:
    frame = sys._current_frames().get(thread)
    return "" if frame is None else "".join(traceback.format_stack(frame))
