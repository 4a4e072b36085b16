"""Where the driver's Ray is to be found, as the driver publishes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from noisebench.records.durable import write_durably
from noisebench.records.periodic import periodically

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
    beats = count()

    def beat() -> None:
        head = Head(address, generation, next(beats))
        with suppress(OSError):  # a full or slow file system: the next beat tries again
            write_durably(path, json.dumps(asdict(head)).encode())

    with periodically(beat, BEAT_SECONDS, "head"):
        yield


def publish_done(path: Path, generation: str) -> None:
    """Tell the workers that nothing is left to do."""
    write_durably(path, json.dumps(asdict(Head("", generation, done=True))).encode())
