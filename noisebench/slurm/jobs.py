"""The jobs of submitted sweeps, as Slurm shows them now."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from noisebench.errors import EnvironmentFault
from noisebench.records import provenance
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.slurm.answers import Job
from noisebench.slurm.client import Slurm
from noisebench.slurm.command import SHORT, SlurmUnavailable
from noisebench.slurm.messages import Messages
from noisebench.slurm.submission import job_name

ROLES = ("driver", "worker")
LOOK_SECONDS = 15.0


@dataclass(frozen=True)
class SweepJobs:
    """The jobs of one submitted sweep.

    `driver` and `standby` are None where there is none. `expected_start` is when the next waiting job is
    expected to start, as far as the scheduler has planned. `ended` counts, for driver and worker, the jobs of
    this submission by their last state; it is asked for only where no job is left. `code_changed`:
    noisebench's source is not what was submitted.
    """

    driver: Job | None
    standby: Job | None
    running: int
    waiting: int
    reasons: tuple[str, ...]
    code_changed: bool
    held: tuple[Job, ...] = ()
    expected_start: datetime | None = None
    ended: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Whether any job waits or runs."""
        return bool(self.driver or self.standby or self.running or self.waiting)

    def as_dict(self) -> dict[str, Any]:
        """Return what `status --json` shows."""
        return {
            "driver": self.driver and self.driver.job_id,
            "driver_state": self.driver and self.driver.state.lower(),
            "standby": self.standby and self.standby.job_id,
            "workers_running": self.running,
            "workers_waiting": self.waiting,
            "reasons": list(self.reasons),
            "held": {job.job_id: job.reason for job in self.held},
            "expected_start": self.expected_start and self.expected_start.isoformat(),
            "ended": self.ended,
        }


def jobs_of(
    results: ResultsFolder, sweeps: Iterable[str], slurm: Slurm | None = None
) -> dict[str, SweepJobs]:
    """Return the jobs of those sweeps that were submitted, with one call to squeue for all, one to sacct.

    Raises EnvironmentFault where Slurm does not answer: what that means for the jobs is unknown.
    """
    slurm = slurm or Slurm()
    folders = [results.sweep(sweep) for sweep in sweeps]
    submissions = ((folder, Messages(folder).kept_submission()) for folder in folders)
    submitted = {folder: kept for folder, kept in submissions if kept is not None}
    if not submitted:
        return {}
    names = {(folder.name, role): job_name(folder, role) for folder in submitted for role in ROLES}
    live = slurm.live_jobs(names.values(), SHORT)
    starts = {}
    if any(job.waiting for job in live):
        with suppress(EnvironmentFault):
            starts = slurm.expected_starts({job.name for job in live})
    alive = {job.name for job in live}
    since = {
        names[folder.name, role]: datetime.fromisoformat(kept.submitted_at)
        for folder, kept in submitted.items()
        for role in ROLES
        if alive.isdisjoint(names[folder.name, each] for each in ROLES)
    }
    ended = slurm.ended_jobs(since) if since else {}
    summaries = {}
    for folder, kept in submitted.items():
        job_names = {role: names[folder.name, role] for role in ROLES}
        mine = [job for job in live if job.name in job_names.values()]
        by_role = {role: ended.get(name, {}) for role, name in job_names.items()} if not mine else {}
        changed = kept.code != provenance.source_hash()
        summaries[folder.name] = summary(mine, job_names["driver"], starts, by_role, changed=changed)
    return summaries


def summary(
    jobs: list[Job],
    driver_name: str,
    starts: dict[str, datetime],
    ended: dict[str, dict[str, int]],
    *,
    changed: bool,
) -> SweepJobs:
    """Sum up a sweep's live jobs."""
    drivers = [job for job in jobs if job.name == driver_name]
    workers = [job for job in jobs if job.name != driver_name]
    standby = [job for job in drivers if job.reason == "Dependency"]
    waiting = [job for job in workers if job.waiting]
    planned = [starts[job.job_id] for job in jobs if job.waiting and job.job_id in starts]
    return SweepJobs(
        driver=next((job for job in drivers if job not in standby), None),
        standby=standby[0] if standby else None,
        running=len(workers) - len(waiting),
        waiting=len(waiting),
        reasons=tuple(reason for reason, _ in Counter(job.reason for job in waiting).most_common()),
        code_changed=changed,
        held=tuple(job for job in jobs if job.held),
        expected_start=min(planned, default=None),
        ended=ended,
    )


def wait_for_jobs(
    folder: SweepFolder, slurm: Slurm | None = None, look_seconds: float = LOOK_SECONDS
) -> None:
    """Return when no job of the sweep waits or runs; a Slurm that does not answer is asked again."""
    slurm = slurm or Slurm()
    names = [job_name(folder, role) for role in ROLES]
    while True:
        try:
            if not slurm.live_jobs(names, SHORT):
                return
        except SlurmUnavailable:
            pass  # nothing is known, so nothing has ended
        time.sleep(look_seconds)
