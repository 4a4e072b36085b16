"""Where the driver's Ray is to be found, as the driver publishes it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from noisebench.trial.durable import write_durably

BEAT_SECONDS = 2.0


@dataclass(frozen=True)
class Head:
    """A driver's sign of life: its Ray's address, how often it was renewed, whether the sweep is done.

    A reader that sees `beat` change knows that the driver lives, without comparing clocks.
    """

    address: str
    generation: str
    beat: int = 0
    done: bool = False


def read_head(path: Path) -> Head | None:
    """Return what a driver published last, None where there is nothing whole."""
    try:
        return Head(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def published(path: Path, address: str, generation: str) -> Iterator[None]:
    """Publish the head and renew it until the block ends."""
    stop = threading.Event()

    def beat() -> None:
        head = Head(address, generation)
        while True:
            with suppress(OSError):  # a full or slow file system: the next beat tries again
                write_durably(path, json.dumps(asdict(head)).encode())
            head = replace(head, beat=head.beat + 1)
            if stop.wait(BEAT_SECONDS):
                return

    thread = threading.Thread(target=beat, name="head", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def publish_done(path: Path, generation: str) -> None:
    """Tell the workers that nothing is left to do."""
    write_durably(path, json.dumps(asdict(Head("", generation, done=True))).encode())
