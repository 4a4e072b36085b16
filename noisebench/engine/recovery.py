"""What becomes of a trial whose process ended before the trial did.

The cause decides. If the worker recorded that it leaves, or its node was lost, the trial is run again; if
only the trial's process died, the trial may be the reason. Every cause has its own limit, so that no trial is
repeated for ever; `engine/losses.py` counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from noisebench.engine.node import leave_note
from noisebench.records.attempts import End, Ended, ErrorKind, Started, Status
from noisebench.records.durable import unreadable_skipped
from noisebench.records.folders import SweepFolder
from noisebench.records.journal import complete_lines, readable
from noisebench.store.states import Interruption
from noisebench.sweep.trial import Trial

MAX_PROCESS_DEATHS = 2
MAX_NODE_LOSSES = 5
MAX_STALLED_ATTEMPTS = 3
MAX_FAILED_STARTS = 200
# A worker's trials may end before its leave note is on the shared file system.
NOTE_SECONDS = 2.0


class Cause(Enum):
    """Why an attempt has lost its process."""

    NOT_STARTED = "the process ended before the trial began"
    PROCESS_DIED = "the process died on a node that is still there"
    NODE_LOST = "the node was lost without notice"
    NODE_LEFT = "the worker recorded that it leaves"


@dataclass(frozen=True)
class Loss:
    """The cause with the kind and the message that the attempt's record gets."""

    cause: Cause
    error_kind: ErrorKind
    message: str


NOT_STARTED = Loss(Cause.NOT_STARTED, ErrorKind.NODE_LOST, "the process ended before the trial began")
PROCESS_DIED = Loss(Cause.PROCESS_DIED, ErrorKind.PROCESS_DIED, "the trial's process died; tried again")

# Takes an attempt's `started` record, if any, and the seconds since the loss; returns None until it knows.
FindCause = Callable[[Started | None, float], Loss | None]


def cause_on_this_machine(started: Started | None, _: float) -> Loss:
    """Return the cause where all trials run on the driver's own machine."""
    return NOT_STARTED if started is None else PROCESS_DIED


def cause_on_cluster(
    folder: SweepFolder, alive_workers: Callable[[], frozenset[str]], decision_seconds: float
) -> FindCause:
    """Return a function that finds the cause on a Ray cluster whose nodes are named after their workers.

    `alive_workers` returns the workers whose nodes Ray takes to be alive. Ray notices the loss of a node
    only after failed health checks: not before `decision_seconds` is a node known to have survived.
    """

    def find(started: Started | None, seconds: float) -> Loss | None:
        if started is not None:
            worker = started.worker or ""
            kind = leave_note(folder, worker)
            if kind is not None:
                return Loss(Cause.NODE_LEFT, kind.error_kind, f"the worker {worker} left: {kind}")
            if worker not in alive_workers():
                lost = Loss(Cause.NODE_LOST, ErrorKind.NODE_LOST, f"the worker {worker} was lost")
                return lost if seconds >= NOTE_SECONDS else None
        if seconds < decision_seconds:
            return None
        return cause_on_this_machine(started, seconds)

    return find


@dataclass(frozen=True)
class RecoveryPolicy:
    """How the queue treats trials that lost their process or lack memory.

    `find_cause` is asked at most once in `poll_seconds`. A trial fails after `max_process_deaths`; after
    `max_node_losses` or, if its workers reached their time limits, `max_stalled_attempts` without a new
    checkpoint between them. `places` is how many trials run at a time. `has_larger_share` says whether a
    trial that failed with an error of this kind can run with a larger share of a machine.
    `previous_journals` are the journal files in which processes of a former driver may still record that
    they completed a trial, `previous_losses` the losses that former drivers have recorded, `lacked_memory`
    the errors of trials that a former driver could not run again with a larger share, all by trial id.
    """

    find_cause: FindCause = cause_on_this_machine
    poll_seconds: float = 0.0
    allowance_minutes: float | None = None
    has_larger_share: Callable[[Trial, ErrorKind], bool] = lambda _, __: False
    previous_journals: Mapping[str, Path] = field(default_factory=dict)
    previous_losses: Mapping[str, Sequence[Interruption]] = field(default_factory=dict)
    lacked_memory: Mapping[str, ErrorKind] = field(default_factory=dict)
    places: int = 1
    max_process_deaths: int = MAX_PROCESS_DEATHS
    max_node_losses: int = MAX_NODE_LOSSES
    max_stalled_attempts: int = MAX_STALLED_ATTEMPTS

    @property
    def max_failed_starts(self) -> int:
        """How many processes in a row may end before their trials begin; a lost node ends many at once."""
        return MAX_FAILED_STARTS + 2 * self.places


class JournalTail:
    """What the sweep's processes have recorded since this object was made; reads each byte once."""

    def __init__(self, folder: SweepFolder) -> None:
        self._folder = folder
        # By the names of the files: their sizes when they were last read, the ends of what was read.
        self._seen = self._sizes()
        self._positions = dict(self._seen)
        self._started: dict[str, Started] = {}
        self._ended: dict[str, End] = {}
        self._own_files: dict[str, str] = {}
        self._explained: frozenset[str] = frozenset()

    def refresh(self, live: Mapping[str, Trial], lost: Collection[str]) -> None:
        """Read what was appended; keep what concerns the attempts in `live`.

        Opens the files that have grown. A network file system may show an old size, and the right one once a
        file is opened. So all files are opened once for each new attempt in `lost`, whose process has ended,
        and then its own file each time.
        """
        opens_all = not self._explained.issuperset(lost)
        self._explained = frozenset(lost)
        lost_files = {self._own_files[key] for key in lost if key in self._own_files}
        for name, size in self._sizes().items():
            if opens_all or name in lost_files or size != self._seen.get(name):
                self._read(name, size)
        self._started = {key: value for key, value in self._started.items() if key in live}
        self._ended = {key: value for key, value in self._ended.items() if key in live}
        self._own_files = {key: value for key, value in self._own_files.items() if key in live}

    def _sizes(self) -> dict[str, int]:
        """Return the size of each journal file in bytes, by its name."""
        sizes = {}
        with suppress(OSError), os.scandir(self._folder.journal) as entries:
            for entry in entries:
                if entry.name.endswith(".jsonl"):
                    with suppress(OSError):  # removed since it was listed
                        sizes[entry.name] = entry.stat(follow_symlinks=False).st_size
        return sizes

    def _read(self, name: str, size: int) -> None:
        try:
            lines, position = complete_lines(self._folder.journal / name, self._positions.get(name, 0))
        except OSError:
            return  # no journal file, or one that cannot be read at the moment
        self._seen[name], self._positions[name] = size, position
        for record in readable(lines):
            if isinstance(record, Started):
                self._started[record.attempt_id] = record
                self._own_files[record.attempt_id] = name
            else:
                self._ended[record.attempt_id] = record.end

    def started(self, attempt_id: str) -> Started | None:
        """Return what an attempt recorded when it began."""
        return self._started.get(attempt_id)

    def ended(self, attempt_id: str) -> End | None:
        """Return how an attempt's own process recorded its end."""
        return self._ended.get(attempt_id)


def recorded_loss(end: End | None) -> Loss | None:
    """Return the loss that a process has itself recorded before it ended: a GPU that no longer works.

    If the GPU was shared through MPS, any of its trials may be the reason, as if their node were lost.
    """
    kind = None if end is None else end.error_kind
    if end is None or kind not in (ErrorKind.GPU_ERROR, ErrorKind.NODE_LOST):
        return None
    cause = Cause.PROCESS_DIED if kind is ErrorKind.GPU_ERROR else Cause.NODE_LOST
    return Loss(cause, kind, end.error or "a CUDA error")


def has_completed(journal: Path, trial_id: str) -> bool:
    """Return whether the process that writes this journal file has completed the trial.

    A file that is missing says that it has not. Raises OSError where the file system fails: the trial may
    have completed.
    """
    lines: list[bytes] = []
    with unreadable_skipped():
        lines, _ = complete_lines(journal)
    mention = trial_id.encode()
    return any(
        isinstance(record, Ended) and record.trial_id == trial_id and record.status == Status.COMPLETED
        for record in readable(line for line in lines if mention in line)
    )
