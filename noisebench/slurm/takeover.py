"""How a driver gets a sweep that another one drove before it, or still holds.

Where another driver's head is published, this one publishes its own first and waits until that one has read
it. Where the sweep's lock is held, it waits, unless the holder shows no life.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack

from noisebench.records.durable import write_durably
from noisebench.records.folders import SweepFolder
from noisebench.records.heartbeats import fresh_workers
from noisebench.records.lock import SweepHeldError
from noisebench.slurm import messages
from noisebench.slurm.messages import Messages
from noisebench.slurm.protocol import Head

LOCK_SECONDS = 10.0
# A driver whose head stands still for so long is dead or cut off, though its lock may still be held.
STILL_SECONDS = 60.0
# After so many beats a former driver has read that it is superseded, and its workers leave it.
FENCE_BEATS = 5

_log = logging.getLogger(__name__)


class Takeover:
    """The takeover of a sweep by the driver with the name `driver`.

    `on_superseded` is called if a later driver publishes a head while this one is published.
    """

    def __init__(self, folder: SweepFolder, driver: str, on_superseded: Callable[[], None]) -> None:
        self._folder = folder
        self._messages = Messages(folder)
        self._driver = driver
        self._on_superseded = on_superseded
        self._published = ExitStack()
        self._seen: Head | None = None
        self._seen_at = time.monotonic()

    def supersede_former(self) -> None:
        """Supersede a former driver; wait until it has read that, and hands out nothing more.

        What it has recorded until then is read afterwards, so that no trial is completed twice. Where its
        file system hangs it reads that later, but then it has no workers left.
        """
        former = self._messages.head()
        if former is None or former.done or former.driver == self._driver:
            return
        _log.info("driver %s takes over from %s", self._driver, former.driver)
        head = Head("", self._driver, self._messages.next_generation())
        self._published.enter_context(self._messages.published(head, self._on_superseded))
        for _ in range(FENCE_BEATS):  # a signal that another thread raises ends no sleep of this one
            time.sleep(messages.BEAT_SECONDS)

    def close(self) -> None:
        """Renew the head without an address no more: the one of this driver's Ray follows, or none."""
        self._published.close()

    def wait_for_lock(self, held: SweepHeldError, note_fault: Callable[[str], None]) -> None:
        """Wait a while for the sweep's lock; break it if its holder is a driver that shows no life."""
        head, now = self._messages.head(), time.monotonic()
        if head != self._seen:
            self._seen, self._seen_at = head, now
        if head is None or head.done or self._holder_lives() or now - self._seen_at < STILL_SECONDS:
            note_fault(
                f"{held}; this driver waits until that one ends, or its heartbeat has stood still for "
                f"{STILL_SECONDS:.0f} s"
            )
            time.sleep(LOCK_SECONDS)
            return
        _log.warning("%s; but its head stands still: this driver takes over", held)
        # A new file: a lock on the old one has no effect any more.
        write_durably(self._folder.lock, b"")

    def _holder_lives(self) -> bool:
        """Whether the process that holds the lock has renewed its heartbeat, as a `noisebench run` does."""
        try:
            host = json.loads(self._folder.lock.read_text())["host"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        # A worker's name has its job's id between the host and the last part.
        return any(worker.rpartition("-")[0] == host for worker in fresh_workers(self._folder))
