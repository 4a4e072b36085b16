"""The progress of a running sweep."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from noisebench.records.attempts import Status


@dataclass
class Progress:
    """Counts of a sweep's trials, updated by what runs them.

    `held` of the `pending` trials are not started because their blocks are `stopped` (block name to error).
    `on_change` is called after every change, in the thread that runs the trials.
    """

    total: int
    completed: int
    failed: int
    pending: int
    running: int = 0
    on_change: Callable[[Progress], None] = lambda _: None
    held: int = 0
    stopped: dict[str, str] = field(default_factory=dict)
    settled_here: int = 0
    begun: float = field(default_factory=time.monotonic)

    def started(self) -> None:
        """Count a trial that left the queue."""
        self.pending -= 1
        self.running += 1
        self.on_change(self)

    def settled(self, status: Status) -> None:
        """Count a running trial that ended as completed or failed."""
        self.running -= 1
        self.settled_here += 1
        if status is Status.COMPLETED:
            self.completed += 1
        else:
            self.failed += 1
        self.on_change(self)

    def returned(self) -> None:
        """Count a running trial that waits again, for example because it lost its process."""
        self.running -= 1
        self.pending += 1
        self.on_change(self)

    @property
    def rate_per_hour(self) -> float:
        """Trials settled per hour since this run began."""
        return 3600 * self.settled_here / max(time.monotonic() - self.begun, 1e-9)

    @property
    def eta_seconds(self) -> float | None:
        """Seconds until all are settled at this rate; None before the first one is settled."""
        if not self.settled_here:
            return None
        return 3600 * (self.pending - self.held + self.running) / self.rate_per_hour
