"""The rounds in which a driver looks after the sweep's other jobs.

A round asks Slurm once for all jobs of the sweep. Then it releases jobs that Slurm holds after a failed
launch, requeues workers that wanted it and could not, keeps a standby in the queue, and keeps the number of
workers at what was requested, as far as the trials that are left can fill them. A worker that a person
cancelled, or that left for want of work, is not replaced while others stay. Where Slurm gives no answer the
round does nothing: jobs in an unknown state count as live. What fails is logged and tried again in the next
round.
"""

from __future__ import annotations

import logging
import math
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
# How many rounds in a row must find too few workers before new ones are sent.
SHORT_ROUNDS = 2
# How often workers are sent in a row without a trial that ends; while others stay, without one that stays.
MAX_SENDS = 3
# A worker that runs for so many rounds has stayed: one that never reaches its driver ends before.
STAY_ROUNDS = 20

# A round that takes too long delays the next.
PATIENCE = Patience(30, (2, 5))

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Roles:
    """The functions that the jobs run, and what the supervisor needs of its driver.

    `settled` returns how many trials have completed or failed, `fillable` how many workers those that are
    left can fill. `give_up` ends the run.
    """

    drive: JobFunction
    work: JobFunction
    settled: Callable[[], int]
    fillable: Callable[[], int]
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
        self._request = submission.messages.scale_request()
        self._short_rounds = 0
        self._sends = 0
        self._settled_at_send = -1
        self._top_ups = 0
        self._topped_up: set[str] = set()
        self._running_rounds: Counter[str] = Counter()
        self._cancelled: set[str] = set()

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
            (self._cancel_drained, workers),
            (self._keep_standby, drivers),
            (self._keep_workers, workers),
        )
        for step, concerned in steps:
            try:
                step(concerned)
            except (EnvironmentFault, OSError) as fault:
                _log.warning("%s; the next round tries again", fault)

    def ensure_standby(self) -> None:
        """Send a standby if none waits. Raises EnvironmentFault or OSError where that is not possible."""
        name = self._submission.job_name("driver")
        self._keep_standby(self._slurm.jobs([name], patience=PATIENCE))

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
        messages = self._submission.messages
        if job.live or job.state == "CANCELLED" or messages.workers.is_draining(job.job_id):
            return False
        return job.state == "PREEMPTED" or messages.workers.wants_requeue(job.job_id)

    def _cancel_drained(self, workers: list[Job]) -> None:
        """Cancel workers that were asked to leave and wait: for their start, or again after preemption."""
        draining = self._submission.messages.workers.is_draining
        self._slurm.cancel([job.job_id for job in workers if job.waiting and draining(job.job_id)])

    def _keep_standby(self, drivers: list[Job]) -> None:
        others = [job for job in drivers if job.live and job.job_id != self._job_id]
        if others or self._submission.number >= MAX_DRIVERS:
            return
        successor = replace(self._submission, number=self._submission.number + 1)
        standby = send_driver(successor, self._roles.drive, self._slurm, after=self._job_id)
        _log.info("standby %s waits behind this driver", standby)

    def _keep_workers(self, workers: list[Job]) -> None:
        messages = self._submission.messages
        staying = [job for job in workers if job.live and not messages.workers.is_draining(job.job_id)]
        self._note_cancelled(workers)
        self._note_stayed(staying)
        request = messages.scale_request()
        is_new, self._request = request != self._request, request
        wanted = self._submission.workers if request is None else request.workers
        if is_new:
            _log.info("%d workers are wanted, %d wait or run", wanted, len(staying))
            self._top_ups = 0
            messages.forget_fault("driver", self._job_id)
        if request is not None and wanted < len(staying):
            self._remove(staying, len(staying) - wanted)
        missing = min(wanted, self._roles.fillable()) - len(staying)
        if is_new:
            self._send(missing, staying)
            return
        if staying:
            missing = min(missing, self._replaceable(wanted) - len(staying))
        self._short_rounds = self._short_rounds + 1 if missing > 0 else 0
        if self._short_rounds < SHORT_ROUNDS:
            return
        if staying:
            self._top_up(missing, staying)
        else:
            self._replace_all(missing)

    def _note_cancelled(self, workers: list[Job]) -> None:
        """Note whom a person has cancelled: the others do its work."""
        messages = self._submission.messages
        for job in workers:
            is_new = job.state == "CANCELLED" and job.job_id not in self._cancelled
            if is_new and not messages.workers.is_draining(job.job_id):
                messages.workers.note_unneeded(job.job_id)
                self._cancelled.add(job.job_id)

    def _note_stayed(self, staying: list[Job]) -> None:
        """Let workers be sent again once one of those that were sent has stayed."""
        for job in staying:
            if job.state == "RUNNING" and job.job_id.split("_")[0] in self._topped_up:
                self._running_rounds[job.job_id] += 1
                if self._running_rounds[job.job_id] == STAY_ROUNDS:
                    self._top_ups = 0

    def _replaceable(self, wanted: int) -> int:
        """Return up to how many workers the losses are replaced while others stay."""
        # Each array limits only its own tasks to `at_once`.
        at_once = sum(job.at_once or math.inf for job in self._submission.site.workers)
        return int(min(wanted - self._submission.messages.workers.count_unneeded(), at_once))

    def _remove(self, staying: list[Job], count: int) -> None:
        # Jobs that wait cost nothing; a running one first finishes its trials.
        leaving = sorted(staying, key=lambda job: not job.waiting)[:count]
        for job in leaving:
            self._submission.messages.workers.ask_to_drain(job.job_id)
        self._cancel_drained(leaving)

    def _send(self, count: int, staying: list[Job]) -> list[str]:
        """Send workers to the pools that have room beside those that stay; return their arrays' ids."""
        if count <= 0:
            return []
        present = Counter(self._submission.messages.workers.pool_of(job.job_id) for job in staying)
        ids = send_workers(self._submission, self._roles.work, self._slurm, count, present=present)
        self._short_rounds = 0
        _log.info("%d workers were missing: sent %s", count, ", ".join(ids))
        return ids

    def _top_up(self, missing: int, staying: list[Job]) -> None:
        """Replace lost workers, unless those that were sent before have not stayed."""
        if self._top_ups < MAX_SENDS:
            self._topped_up.update(self._send(missing, staying))
            self._top_ups += 1
        elif self._short_rounds == SHORT_ROUNDS:
            name = self._submission.folder.name
            message = (
                f"{missing} workers are missing: {MAX_SENDS} times in a row those that replaced lost ones "
                f"ended soon; see their logs, then `noisebench scale {name} --workers N` sends new ones"
            )
            _log.error("%s", message)
            self._submission.messages.note_fault("driver", self._job_id, message)

    def _replace_all(self, count: int) -> None:
        """Send new workers where none is left, unless that did not help before."""
        settled = self._roles.settled()
        if settled != self._settled_at_send:
            self._sends = 0
        if self._sends >= MAX_SENDS:
            _log.error("%d times in a row all workers left and no trial ended: giving up", self._sends)
            self._roles.give_up()
            return
        self._send(count, [])
        self._sends += 1
        self._settled_at_send = settled
        self._submission.messages.workers.forget_unneeded()
