"""Blocks of a sweep that are stopped because all their first trials failed with the same error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from noisebench.records.attempts import End, Status
from noisebench.records.durable import patiently, read_of_sweep, write_of_sweep
from noisebench.records.folders import SweepFolder
from noisebench.sweep.block import Block
from noisebench.sweep.trial import Trial

# So many equal failures from the start, with no other end among them, are no accident.
EQUAL_FAILURES_TO_STOP = 8


class Stops:
    """Counts how a block's trials end; `errors` has the stopped blocks with their common error.

    A stop is kept in the sweep's folder until `restart_blocks`, for the next driver. It is lifted if a trial
    of the block that was already running completes.
    """

    def __init__(self, blocks: Iterable[Block], folder: SweepFolder) -> None:
        self._path = folder.stopped
        self._blocks: dict[str, list[str]] = {}
        for block in blocks:
            for trial in block.trials:
                self._blocks.setdefault(trial.trial_id, []).append(block.name)
        # How many failed with which error; None once they differ.
        self._alike: dict[str, tuple[str, int] | None] = {}
        self.errors = stopped_blocks(folder)

    def lets_run(self, trial: Trial) -> bool:
        """Return whether a block of the trial is not stopped."""
        blocks = self._blocks.get(trial.trial_id)
        return blocks is None or not self.errors.keys() >= set(blocks)

    def note(self, trial: Trial, end: End) -> bool:
        """Count how a trial ended; return whether that stopped a block or restarted one."""
        before = dict(self.errors)
        for block in self._blocks.get(trial.trial_id, ()):
            self._note_in(block, end)
        if self.errors == before:
            return False
        patiently(lambda: write_of_sweep(self._path, json.dumps(self.errors).encode()))
        return True

    def _note_in(self, block: str, end: End) -> None:
        if end.status is Status.COMPLETED:
            self._alike[block] = None
            self.errors.pop(block, None)
            return
        error = f"{end.error_kind}: {end.error}"
        alike = self._alike.get(block, (error, 0))
        if alike is None:
            return
        known, count = alike
        self._alike[block] = (known, count + 1) if _shape(known) == _shape(error) else None
        if self._alike[block] == (known, EQUAL_FAILURES_TO_STOP):
            self.errors[block] = known


def stopped_blocks(folder: SweepFolder) -> dict[str, str]:
    """Return the stopped blocks of a sweep with the error of all their first trials."""
    try:
        stops = json.loads(read_of_sweep(folder.stopped))
    except (OSError, ValueError, RecursionError):
        return {}
    return {block: str(error) for block, error in stops.items()} if isinstance(stops, dict) else {}


def restart_blocks(folder: SweepFolder) -> None:
    """Let the stopped blocks of a sweep run again."""
    folder.stopped.unlink(missing_ok=True)


def _shape(error: str) -> str:
    """Return an error without what differs between processes: addresses, sizes, numbers in names."""
    return re.sub(r"0x[0-9a-f]+|\d+(\.\d+)?", "#", error)
