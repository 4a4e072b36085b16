"""Slurm's own commands, called with patience."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from noisebench.errors import EnvironmentFault

_log = logging.getLogger(__name__)

RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)
# What a controller says that is busy or being restarted; anything else is an answer.
_BUSY = ("Unable to contact slurm controller", "Socket timed out", "Connection refused", "try again")
ENDED = (
    "COMPLETING",
    "COMPLETED",
    "CANCELLED",
    "FAILED",
    "TIMEOUT",
    "NODE_FAIL",
    "PREEMPTED",
    "OUT_OF_MEMORY",
)


@dataclass(frozen=True)
class Job:
    """A job as squeue shows it; `node` is empty and `reason` filled while it waits."""

    job_id: str
    name: str
    state: str
    node: str
    reason: str


def call(*words: str, retries: Iterable[float] = RETRY_SECONDS) -> str:
    """Return a command's output; ask a busy controller again, raise EnvironmentFault at any other failure."""
    for pause in (*retries, None):
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
            said = done.stderr.strip()
        except FileNotFoundError:
            raise EnvironmentFault(
                f"{words[0]}: command not found; submit from a node where Slurm's commands are installed"
            ) from None
        except subprocess.TimeoutExpired:
            said = "try again: no answer in two minutes"
        else:
            if done.returncode == 0:
                return done.stdout
        if pause is None or not any(busy in said for busy in _BUSY):
            raise EnvironmentFault(f"{words[0]}: {said.splitlines()[0] if said else 'failed without a word'}")
        time.sleep(pause)
    raise AssertionError("the last round returns or raises")


def live_jobs(names: Iterable[str], retries: Iterable[float] = RETRY_SECONDS) -> list[Job]:
    """Return this user's jobs of these names that wait or run, array tasks one by one; one call."""
    return [job for job in listed_jobs(names, retries) if job.state not in ENDED]


def count_jobs() -> int:
    """Return how many jobs this user has in the queue or running, array tasks counted one by one."""
    lines = call("squeue", "--noheader", "--array", f"--user={os.getuid()}", "--format=%T").splitlines()
    return sum(state not in ENDED for state in lines)


def recent_jobs(names: Iterable[str]) -> list[Job]:
    """Return all jobs as `live_jobs` does, with those that ended in the last minutes."""
    return listed_jobs(names, more=("--states=all",))


def listed_jobs(
    names: Iterable[str], retries: Iterable[float] = RETRY_SECONDS, more: Iterable[str] = ()
) -> list[Job]:
    """Return all jobs as `live_jobs` does, with those that are just ending; `more` are words for squeue."""
    lines = call(
        "squeue",
        "--noheader",
        "--array",
        f"--user={os.getuid()}",
        f"--name={','.join(names)}",
        "--format=%i|%j|%T|%N|%r",
        *more,
        retries=retries,
    ).splitlines()
    return [Job(*line.split("|", 4)) for line in lines]


def ended_jobs(names: Iterable[str], since: datetime) -> dict[str, dict[str, int]]:
    """Return how many jobs of each name ended in which state since a time, as accounting knows it.

    Empty where there is no accounting.
    """
    try:
        lines = call(
            "sacct",
            "--allocations",
            "--noheader",
            "--parsable2",
            f"--name={','.join(names)}",
            # sacct takes local time and refuses a zone.
            f"--starttime={since.astimezone():%Y-%m-%dT%H:%M:%S}",
            "--format=JobName,State",
            retries=(),
        ).splitlines()
    except EnvironmentFault:
        return {}
    found: dict[str, dict[str, int]] = {}
    for line in lines:
        name, state = line.split("|", 1)
        # "CANCELLED by 1000"
        counts = found.setdefault(name, {})
        counts[state.split()[0]] = counts.get(state.split()[0], 0) + 1
    return found


def preempted_at(job_id: str) -> float | None:
    """Return when a running job that was chosen to make room for another ends, in seconds since 1970.

    None where it was not chosen, or nothing answers.
    """
    try:
        shown = call("scontrol", "--oneliner", "show", "job", job_id, retries=())
    except EnvironmentFault:
        return None
    fields = dict(re.findall(r"(\w+)=(\S*)", shown))
    if fields.get("PreemptTime", "None") in ("None", "(null)"):
        return None
    # Slurm brings the end forward to that of the partition's GraceTime.
    return datetime.fromisoformat(fields["EndTime"]).timestamp()


def end_time(job_id: str) -> float | None:
    """Return a running job's time limit in seconds since 1970, None where it has none or nothing answers."""
    try:
        left = call("squeue", "--noheader", f"--jobs={job_id}", "--format=%L", retries=())
    except EnvironmentFault:
        return None
    seconds = duration(left.strip())
    return None if seconds is None else time.time() + seconds


def duration(text: str) -> int | None:
    """Return the seconds of Slurm's [days-][hours:]minutes:seconds, None where it is no such thing."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def cancel_jobs(names: Iterable[str], *, waiting_only: bool = False) -> None:
    """Cancel this user's jobs of these names, or only those that have not started."""
    for name in names:
        call(
            "scancel",
            f"--user={os.getuid()}",
            f"--name={name}",
            *(["--state=PENDING"] if waiting_only else []),
        )


def requeue(job_id: str) -> None:
    """Send a running job back into the queue; this ends its processes."""
    try:
        call("scontrol", "requeue", job_id)
    except EnvironmentFault as refused:
        # Who was preempted may be in the queue already.
        _log.info("not requeued: %s", refused)
