"""Blocks of a sweep that are stopped because all their first trials failed alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from noisebench.records.attempts import End
from noisebench.records.durable import patiently, write_durably
from noisebench.records.folders import ResultsFolder
from noisebench.sweep.block import Block
from noisebench.sweep.trial import Trial

# So many failures that are all alike, with no other end among them, are no accident.
ALIKE_TO_STOP = 8


class Stops:
    """Keeps account of how a block's trials end; `errors` names the stopped blocks with their one error.

    A stop is kept in the results folder until `restart_blocks`: who runs the sweep next knows of it. It is
    taken back should a trial complete that had been started before.
    """

    def __init__(self, blocks: Iterable[Block], results: ResultsFolder, sweep: str) -> None:
        self._path = _path(results, sweep)
        self._blocks: dict[str, list[str]] = {}
        for block in blocks:
            for trial in block.trials:
                self._blocks.setdefault(trial.trial_id, []).append(block.name)
        # How many failed with which error; None once they differ.
        self._alike: dict[str, tuple[str, int] | None] = {}
        self.errors = stopped_blocks(results, sweep)

    def lets_run(self, trial: Trial) -> bool:
        """Whether a block that the trial belongs to still runs."""
        blocks = self._blocks.get(trial.trial_id)
        return blocks is None or not self.errors.keys() >= set(blocks)

    def note(self, trial: Trial, end: End) -> bool:
        """Take in how a trial ended; return whether that stopped a block, or let one run again."""
        before = dict(self.errors)
        for block in self._blocks.get(trial.trial_id, ()):
            self._note_in(block, end)
        if self.errors == before:
            return False
        patiently(lambda: write_durably(self._path, json.dumps(self.errors).encode()))
        return True

    def _note_in(self, block: str, end: End) -> None:
        if end.status == "completed":
            self._alike[block] = None
            self.errors.pop(block, None)
            return
        error = f"{end.error_kind}: {end.error}"
        alike = self._alike.get(block, (error, 0))
        if alike is None:
            return
        known, count = alike
        self._alike[block] = (known, count + 1) if _shape(known) == _shape(error) else None
        if self._alike[block] == (known, ALIKE_TO_STOP):
            self.errors[block] = known


def stopped_blocks(results: ResultsFolder, sweep: str) -> dict[str, str]:
    """Return the stopped blocks of a sweep with the error that all their first trials failed with."""
    try:
        return dict(json.loads(_path(results, sweep).read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def restart_blocks(results: ResultsFolder, sweep: str) -> None:
    """Let the stopped blocks of a sweep run again."""
    _path(results, sweep).unlink(missing_ok=True)


def _path(results: ResultsFolder, sweep: str) -> Path:
    return results.sweep(sweep).stopped


def _shape(error: str) -> str:
    """Return an error without what differs from process to process: addresses, sizes, names with numbers."""
    return re.sub(r"0x[0-9a-f]+|\d+(\.\d+)?", "#", error)
