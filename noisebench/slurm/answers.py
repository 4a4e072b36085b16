"""Slurm's answers about jobs, as squeue, sacct and scontrol print them in 20.11 to 25.x."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from noisebench.slurm.inventory import moment

ENDED_STATES = frozenset(
    {
        *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"),
        *("PREEMPTED", "REVOKED", "TIMEOUT"),
    }
)
# The reason of a job that Slurm holds because it could not start it; newer versions write it with "_".
_LAUNCH_FAILED = "launch failed requeued held"
_HELD_BY_A_PERSON = ("jobheldadmin", "jobhelduser")
_HELD = (*_HELD_BY_A_PERSON, "jobholdmaxrequeue", _LAUNCH_FAILED, "job requeued in held state")


@dataclass(frozen=True)
class Job:
    """A job as squeue shows it; `node` is empty and `reason` filled while it waits.

    `job_id` is ARRAY_TASK for the task of an array, in which form every command takes it.
    """

    job_id: str
    name: str
    state: str
    node: str
    reason: str

    @property
    def live(self) -> bool:
        """Whether it waits, runs, or is just ending: a job that is requeued passes through COMPLETING."""
        return self.state not in ENDED_STATES

    @property
    def ending(self) -> bool:
        """Whether its processes are being ended."""
        return self.state == "COMPLETING"

    @property
    def waiting(self) -> bool:
        """Whether it is in the queue."""
        return self.state == "PENDING"

    @property
    def held(self) -> bool:
        """Whether it waits until somebody releases it."""
        return self.waiting and _words(self.reason) in _HELD

    @property
    def launch_failed(self) -> bool:
        """Whether Slurm holds it because it could not start it."""
        return self.waiting and _words(self.reason) == _LAUNCH_FAILED

    @property
    def held_by_slurm(self) -> bool:
        """Whether Slurm itself holds it: after a failed launch, or too many requeues."""
        return self.held and not is_held_by_a_person(self.reason)


def is_held_by_a_person(reason: str) -> bool:
    """Whether this is the reason of a job that its user or an administrator holds."""
    return _words(reason) in _HELD_BY_A_PERSON


def parse_jobs(lines: Iterable[str]) -> list[Job]:
    """Read lines of id|name|state|node|reason; others, as a site's plugin may print, are passed over."""
    return [Job(*line.strip().split("|", 4)) for line in lines if line.count("|") >= 4]


def parse_starts(lines: Iterable[str]) -> dict[str, datetime]:
    """Read lines of id|start, as far as the scheduler has planned one."""
    starts = {}
    for line in lines:
        job_id, _, start = line.strip().partition("|")
        planned = moment(start)
        if planned is not None:
            starts[job_id] = planned
    return starts


def count_ends(lines: Iterable[str], since: Mapping[str, datetime]) -> dict[str, dict[str, int]]:
    """Count lines of name|state|submitted by name and state; of each name those submitted since its time."""
    counts: dict[str, dict[str, int]] = {}
    for line in lines:
        name, state, submitted = [*line.split("|"), "", ""][:3]
        at = moment(submitted)
        # Slurm's times have no fraction of a second.
        if name in since and at and at.astimezone() >= since[name].replace(microsecond=0):
            by_state = counts.setdefault(name, {})
            word = state.split()[0]  # of "CANCELLED by 1000"
            by_state[word] = by_state.get(word, 0) + 1
    return counts


def preemption_end(shown: str) -> float | None:
    """Return when a preempted job ends, in seconds since 1970, of `scontrol show job`; None if it was not."""
    fields = dict(re.findall(r"(\w+)=(\S*)", shown))
    if moment(fields.get("PreemptTime", "")) is None:
        return None
    # Slurm brings the end forward to that of the partition's GraceTime.
    end = moment(fields.get("EndTime", ""))
    return None if end is None else end.timestamp()


def _words(reason: str) -> str:
    return reason.replace("_", " ").strip().lower()
