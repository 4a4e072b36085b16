"""Which attempts run on this node, according to its own journal files."""

from __future__ import annotations

from pathlib import Path

import psutil

from noisebench.records import provenance
from noisebench.records.attempts import Ended
from noisebench.records.folders import SweepFolder
from noisebench.records.journal import complete_lines
from noisebench.records.lines import LineError, decode


class Activity:
    """Follows the journal files of one worker's processes."""

    def __init__(self, sweep: SweepFolder, worker: str) -> None:
        self._folder = sweep.journal
        self._worker = worker
        self._read: dict[Path, int] = {path: path.lstat().st_size for path in self._files()}
        self._live: dict[str, int] = {}

    def busy(self) -> bool:
        """Whether an attempt of this worker has begun, not ended, and still has its process."""
        for path in self._files():
            lines, self._read[path] = complete_lines(path, self._read.get(path, 0))
            for line in lines:
                self._take(line)
        self._live = {attempt: pid for attempt, pid in self._live.items() if psutil.pid_exists(pid)}
        return bool(self._live)

    def _files(self) -> list[Path]:
        return list(self._folder.glob(f"{provenance.host()}-*.jsonl"))

    def _take(self, line: bytes) -> None:
        try:
            record = decode(line)
        except LineError:
            return  # torn; readers skip it
        if isinstance(record, Ended):
            self._live.pop(record.attempt_id, None)
        elif record.worker == self._worker and record.pid is not None:
            self._live[record.attempt_id] = record.pid
