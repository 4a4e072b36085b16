"""Slurm's own commands, called with patience."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass

from noisebench.errors import EnvironmentFault

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
            raise EnvironmentFault(f"{' '.join(words)}: {said}")
        time.sleep(pause)
    raise AssertionError("the last round returns or raises")


def live_jobs(names: Iterable[str], retries: Iterable[float] = RETRY_SECONDS) -> list[Job]:
    """Return this user's jobs of these names that wait or run, array tasks one by one; one call."""
    lines = call(
        "squeue",
        "--noheader",
        "--array",
        f"--user={os.getuid()}",
        f"--name={','.join(names)}",
        "--format=%i|%j|%T|%N|%r",
        retries=retries,
    ).splitlines()
    jobs = (Job(*line.split("|", 4)) for line in lines)
    return [job for job in jobs if job.state not in ENDED]


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
    call("scontrol", "requeue", job_id)
