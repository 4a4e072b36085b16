"""The signals by which Slurm announces a job's end."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from noisebench.slurm.protocol import WorkerEnd


class Stop:
    """Whether this job has to end, and why: time limit, preempted, cancelled."""

    def __init__(self, ends_at: float | None, signal_seconds: int) -> None:
        self._signalled = threading.Event()
        self._ends_at = ends_at
        self._signal_seconds = signal_seconds
        self.kind: WorkerEnd | None = None

    def wait(self, seconds: float) -> bool:
        """Wait, but no longer than until a signal comes; return whether one has come."""
        return self._signalled.wait(seconds)

    @property
    def seconds_left(self) -> float:
        """How long the job may still take after the signal, by its time limit."""
        left = float("inf") if self._ends_at is None else self._ends_at - time.time()
        return max(0.0, min(left, float(self._signal_seconds)))

    def end_by(self, ends_at: float) -> None:
        """Note that Slurm ends the job at that time, in seconds since 1970."""
        self._ends_at = ends_at

    def handle(self, number: int, _: FrameType | None) -> None:
        """Note a signal; the first one says why."""
        if self.kind is None:
            self.kind = self._kind_of(number)
        self._signalled.set()

    def _kind_of(self, number: int) -> WorkerEnd:
        # scancel sends TERM. USR2 comes before the limit, to within Slurm's clock, or when preempted.
        if number == signal.SIGTERM:
            return WorkerEnd.CANCELLED
        near = self._ends_at is not None and self._ends_at - time.time() < 2 * self._signal_seconds + 60
        return WorkerEnd.TIME_LIMIT if near else WorkerEnd.PREEMPTED


@contextmanager
def stop_signals(ends_at: float | None, signal_seconds: int) -> Iterator[Stop]:
    """Take TERM and USR2 from submitit's own handlers until the block ends."""
    stop = Stop(ends_at, signal_seconds)
    before = {number: signal.signal(number, stop.handle) for number in (signal.SIGTERM, signal.SIGUSR2)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
