"""The rounds in which a driver looks after the sweep's other jobs.

A round asks Slurm once for all jobs of the sweep. Then it releases jobs that Slurm holds after a failed
launch, requeues workers that wanted it and could not, keeps a standby in the queue, and keeps the number of
workers at what was requested. Where Slurm gives no answer the round does nothing: jobs in an unknown state
count as live. What fails is logged and tried again in the next round.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from noisebench.errors import EnvironmentFault
from noisebench.slurm.answers import Job
from noisebench.slurm.client import Slurm
from noisebench.slurm.command import Patience
from noisebench.slurm.send import Job as JobFunction
from noisebench.slurm.send import send_driver, send_workers
from noisebench.slurm.submission import Submission

# Each driver of a sweep queues the next; a sweep whose drivers all die must come to an end.
MAX_DRIVERS = 20
# How often a job is released or requeued before it is left to a person.
MAX_RELEASES = 3
MAX_REQUEUES = 100
# How many rounds in a row must find no worker before new ones are sent.
EMPTY_ROUNDS = 2
# How often workers are sent in a row without a trial that ends.
MAX_SENDS = 3

# A round that takes too long delays the next.
PATIENCE = Patience(30, (2, 5))

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Roles:
    """The functions that the jobs run, and what the supervisor needs of its driver.

    `settled` returns how many trials have completed or failed. `give_up` ends the run.
    """

    drive: JobFunction
    work: JobFunction
    settled: Callable[[], int]
    give_up: Callable[[], None]


class Supervisor:
    """Looks after the jobs of one sweep, for the driver with the id `job_id`."""

    def __init__(self, submission: Submission, job_id: str, slurm: Slurm, roles: Roles) -> None:
        self._submission = submission
        self._job_id = job_id
        self._slurm = slurm
        self._roles = roles
        self._releases: Counter[str] = Counter()
        self._requeues: Counter[str] = Counter()
        self._empty_rounds = 0
        self._sends = 0
        self._settled_at_send = -1
        self._applied: int | None = None

    def round(self) -> None:
        """Make one round; raises nothing."""
        names = [self._submission.job_name(role) for role in ("driver", "worker")]
        try:
            jobs = self._slurm.jobs(names, ended=True, patience=PATIENCE)
        except EnvironmentFault as fault:
            _log.warning("the state of the jobs is unknown: %s", fault)
            return
        drivers = [job for job in jobs if job.name == names[0]]
        workers = [job for job in jobs if job.name == names[1]]
        steps = (
            (self._release, jobs),
            (self._requeue, workers),
            (self._keep_standby, drivers),
            (self._keep_workers, workers),
        )
        for step, concerned in steps:
            try:
                step(concerned)
            except (EnvironmentFault, OSError) as fault:
                _log.warning("%s; the next round tries again", fault)

    def _release(self, jobs: list[Job]) -> None:
        for job in jobs:
            if job.launch_failed and self._releases[job.job_id] < MAX_RELEASES:
                self._releases[job.job_id] += 1
                count = self._releases[job.job_id]
                _log.warning(
                    "job %s is held (%s): release %d of %d", job.job_id, job.reason, count, MAX_RELEASES
                )
                self._slurm.release(job.job_id)

    def _requeue(self, workers: list[Job]) -> None:
        """Requeue workers that preemption cancelled, and those whose batch script could not do it."""
        if not self._submission.site.requeue:
            return
        for job in workers:
            if self._is_lost(job) and self._requeues[job.job_id] < MAX_REQUEUES:
                self._requeues[job.job_id] += 1
                _log.info("worker %s has ended as %s: requeued", job.job_id, job.state)
                self._slurm.requeue(job.job_id)

    def _is_lost(self, job: Job) -> bool:
        if job.live or job.state == "CANCELLED":
            return False
        return job.state == "PREEMPTED" or self._submission.messages.wants_requeue(job.job_id)

    def _keep_standby(self, drivers: list[Job]) -> None:
        others = [job for job in drivers if job.live and job.job_id != self._job_id]
        if others or self._submission.number >= MAX_DRIVERS:
            return
        successor = replace(self._submission, number=self._submission.number + 1)
        standby = send_driver(successor, self._roles.drive, self._slurm, after=self._job_id)
        _log.info("standby %s waits behind this driver", standby)

    def _keep_workers(self, workers: list[Job]) -> None:
        messages = self._submission.messages
        staying = [job for job in workers if job.live and not messages.is_draining(job.job_id)]
        wanted = messages.wanted_workers()
        if wanted is not None and wanted != self._applied:
            self._scale(staying, wanted)
            self._applied = wanted
            return
        self._empty_rounds = 0 if staying or wanted == 0 else self._empty_rounds + 1
        if self._empty_rounds >= EMPTY_ROUNDS:
            self._replace_all(wanted or self._submission.workers)

    def _scale(self, staying: list[Job], wanted: int) -> None:
        _log.info("%d workers are wanted, %d wait or run", wanted, len(staying))
        if wanted > len(staying):
            present = Counter(self._submission.messages.pool_of(job.job_id) for job in staying)
            missing = wanted - len(staying)
            send_workers(self._submission, self._roles.work, self._slurm, missing, present=present)
            return
        # Jobs that wait cost nothing; a running one first finishes its trials.
        order = sorted(staying, key=lambda job: not job.waiting)
        leaving = order[: len(staying) - wanted]
        self._slurm.cancel([job.job_id for job in leaving if job.waiting])
        for job in leaving:
            if not job.waiting:
                self._submission.messages.ask_to_drain(job.job_id)

    def _replace_all(self, count: int) -> None:
        """Send new workers where none is left, unless that did not help before."""
        settled = self._roles.settled()
        if settled != self._settled_at_send:
            self._sends = 0
        if self._sends >= MAX_SENDS:
            _log.error("%d times in a row all workers left and no trial ended: giving up", self._sends)
            self._roles.give_up()
            return
        ids = send_workers(self._submission, self._roles.work, self._slurm, count)
        self._sends += 1
        self._settled_at_send = settled
        self._empty_rounds = 0
        _log.info("no worker is left: sent %s", ", ".join(ids))
