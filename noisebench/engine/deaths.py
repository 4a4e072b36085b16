"""What took the process of an attempt that never recorded its end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from noisebench.records.durable import write_durably
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import records_of


@dataclass(frozen=True)
class Death:
    """Why an attempt lost its process, if it `began` at all; `counts` where the trial may be the cause."""

    kind: str
    message: str
    counts: bool
    began: bool = True


def process_died(_: str) -> Death:
    """Judge on one machine: the machine is still there, so it was the process alone."""
    return Death("node-lost", "the trial's process died; tried again", counts=True)


def started_line(results: ResultsFolder, sweep: str, attempt_id: str) -> dict[str, Any] | None:
    """Return what an attempt recorded when it began, None where it never came to that."""
    lines = records_of(results.sweep(sweep).journal, "attempt_id", attempt_id)
    return next((line for line in lines if line.get("event") == "started"), None)


def is_completed(results: ResultsFolder, sweep: str, trial_id: str) -> bool:
    """Whether any attempt of a sweep's trial has recorded that it completed."""
    lines = records_of(results.sweep(sweep).journal, "trial_id", trial_id)
    return any(line.get("event") == "ended" and line.get("status") == "completed" for line in lines)


def note_leave(results: ResultsFolder, sweep: str, worker: str, kind: str) -> None:
    """Leave word that `worker` ends for a reason outside its trials: preempted, time-limit, cancelled."""
    path = results.sweep(sweep).heartbeats / f"{worker}.left"
    write_durably(path, json.dumps({"worker": worker, "kind": kind}).encode())


def leave_note(results: ResultsFolder, sweep: str, worker: str) -> str | None:
    """Return why a worker left, None where it left no word."""
    try:
        return str(json.loads((results.sweep(sweep).heartbeats / f"{worker}.left").read_text())["kind"])
    except (OSError, ValueError, KeyError):
        return None
