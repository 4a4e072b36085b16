"""A sign of life that a worker renews as long as it lives."""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from noisebench.trial import provenance
from noisebench.trial.durable import write_durably
from noisebench.trial.layout import ResultsFolder

PERIOD_SECONDS = 15.0
STALE_SECONDS = 60.0


@contextmanager
def heartbeat(results: ResultsFolder, sweep: str, worker: str) -> Iterator[None]:
    """Renew `heartbeats/<sweep>/<worker>.json` every 15 seconds until the block ends, then remove it."""
    path = results.heartbeats(sweep) / f"{worker}.json"
    stop = threading.Event()

    def beat() -> None:
        while True:
            try:
                state = {"worker": worker, "host": provenance.host(), "pid": os.getpid(), "time": time.time()}
                write_durably(path, json.dumps(state).encode())
            except OSError:
                pass  # a full or slow file system: the next beat tries again
            if stop.wait(PERIOD_SECONDS):
                return

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        path.unlink(missing_ok=True)


def fresh_workers(results: ResultsFolder, sweep: str) -> list[str]:
    """Return the workers whose heartbeat is younger than a minute, by this machine's clock."""
    fresh = []
    for path in results.heartbeats(sweep).glob("*.json"):
        try:
            state = json.loads(path.read_text())
            if time.time() - state["time"] < STALE_SECONDS:
                fresh.append(path.stem)
        except (OSError, ValueError, KeyError, TypeError):
            continue  # just being replaced or removed
    return sorted(fresh)
