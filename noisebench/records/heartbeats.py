"""Heartbeat files, which live workers renew."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from noisebench.records import provenance
from noisebench.records.durable import read_of_sweep, write_of_sweep
from noisebench.records.folders import SweepFolder
from noisebench.records.periodic import periodically

PERIOD_SECONDS = 15.0
STALE_SECONDS = 60.0


@contextmanager
def heartbeat(folder: SweepFolder, worker: str) -> Iterator[None]:
    """Renew `heartbeats/<sweep>/<worker>.json` every 15 seconds until the block ends, then remove it."""
    path = folder.heartbeats / f"{worker}.json"

    def beat() -> None:
        state = {"worker": worker, "host": provenance.host(), "pid": os.getpid(), "time": time.time()}
        with suppress(OSError):  # a full or slow file system: the next beat retries
            write_of_sweep(path, json.dumps(state).encode())

    try:
        with periodically(beat, PERIOD_SECONDS, "heartbeat"):
            yield
    finally:
        path.unlink(missing_ok=True)


def fresh_workers(folder: SweepFolder) -> list[str]:
    """Return the workers whose heartbeat is younger than a minute, by this machine's clock."""
    fresh = []
    for path in folder.heartbeats.glob("*.json"):
        try:
            state = json.loads(read_of_sweep(path))
            if time.time() - state["time"] < STALE_SECONDS:
                fresh.append(path.stem)
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
            continue  # being replaced or removed, or no heartbeat
    return sorted(fresh)
