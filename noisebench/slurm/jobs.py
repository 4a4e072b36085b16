"""The jobs of submitted sweeps, as Slurm sees them now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from noisebench.records import provenance
from noisebench.records.folders import ResultsFolder
from noisebench.slurm import commands
from noisebench.slurm.submission import job_name, kept_submission


@dataclass(frozen=True)
class SweepJobs:
    """The jobs of one submitted sweep.

    `driver` and `standby` are None where there is none. `ended` counts, for driver and worker, the jobs of
    this submission by their last state; it is asked for only where no job is left. `code_changed`:
    noisebench's source is not what was submitted.
    """

    driver: commands.Job | None
    standby: commands.Job | None
    running: int
    waiting: int
    reasons: tuple[str, ...]
    code_changed: bool
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
            "ended": self.ended,
        }


def jobs_of(results: ResultsFolder, sweeps: Iterable[str]) -> dict[str, SweepJobs]:
    """Return the jobs of those sweeps that were submitted, with one call to squeue for all.

    Raises EnvironmentFault where Slurm does not answer: what that means for the jobs is unknown.
    """
    submitted = {sweep: kept for sweep in sweeps if (kept := kept_submission(results, sweep)) is not None}
    if not submitted:
        return {}
    names = {
        (sweep, role): job_name(results, sweep, role) for sweep in submitted for role in ("driver", "worker")
    }
    live = commands.live_jobs(names.values(), retries=(1.0, 3.0))
    found = {}
    for sweep, kept in submitted.items():
        drivers = [job for job in live if job.name == names[sweep, "driver"]]
        workers = [job for job in live if job.name == names[sweep, "worker"]]
        ended = {}
        if not drivers and not workers:
            since = datetime.fromisoformat(kept["submitted_at"])
            by_name = commands.ended_jobs([names[sweep, "driver"], names[sweep, "worker"]], since)
            ended = {role: by_name.get(names[sweep, role], {}) for role in ("driver", "worker")}
        found[sweep] = _summary(drivers, workers, ended, kept.get("code") != provenance.source_hash())
    return found


def _summary(
    drivers: list[commands.Job], workers: list[commands.Job], ended: dict[str, dict[str, int]], changed: bool
) -> SweepJobs:
    standby = [job for job in drivers if job.reason == "Dependency"]
    waiting = [job for job in workers if job.state == "PENDING"]
    return SweepJobs(
        driver=next((job for job in drivers if job not in standby), None),
        standby=standby[0] if standby else None,
        running=len(workers) - len(waiting),
        waiting=len(waiting),
        reasons=tuple(reason for reason, _ in Counter(job.reason for job in waiting).most_common()),
        code_changed=changed,
        ended=ended,
    )
