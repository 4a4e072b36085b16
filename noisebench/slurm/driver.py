"""A driver's job: it starts a Ray head and runs the sweep on the workers that join."""

from __future__ import annotations

import logging
import math
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

from noisebench.engine.node import token_environment
from noisebench.engine.options import Cluster, Options
from noisebench.engine.progress import Progress
from noisebench.engine.run import Outcome, run_sweep
from noisebench.engine.scratch import private_scratch
from noisebench.errors import EnvironmentFault, InputError, NoisebenchError
from noisebench.records.durable import patiently
from noisebench.records.lock import SweepHeldError
from noisebench.records.manifest import kept_sweep
from noisebench.records.periodic import periodically
from noisebench.slurm.allocation import allocation, own_address
from noisebench.slurm.client import Slurm
from noisebench.slurm.protocol import Head
from noisebench.slurm.ray_node import head_node
from noisebench.slurm.submission import (
    DRIVER_JOBS,
    Submission,
    places_of_worker,
    unit_of,
    warn_of_other_code,
)
from noisebench.slurm.supervisor import MAX_DRIVERS, Roles, Supervisor
from noisebench.slurm.takeover import Takeover
from noisebench.slurm.worker import work
from noisebench.store.ingest import ingest
from noisebench.store.states import sweep_progress
from noisebench.store.store import open_store

ROUND_SECONDS = 30.0
# How many drivers in a row may end by a fault before a trial ends.
MAX_FAULTS = 3

_log = logging.getLogger(__name__)


class UnfinishedError(Exception):
    """The driver has to end before the sweep does; its job fails, so that its standby starts."""


def drive(submission: Submission) -> None:
    """Run what is pending of the sweep; raise where something is left, so that the standby takes over."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    signal.signal(signal.SIGUSR2, _interrupt)
    # A newer driver ends this one by SIGINT, which a program started in the background may ignore.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(token_environment(submission.messages.token))
    warn_of_other_code(submission)
    driver = _Driver(submission, allocation(os.environ).job_id, Slurm())
    outcome = _outcome_of(driver)
    if outcome is None:
        # Success, so that the standby of this driver does not start beside the newer one.
        _log.info("a newer driver has taken over")
        return
    _log.info("%d of %d trials completed, %d failed", outcome.completed, outcome.total, outcome.failed)
    if outcome.unfinished:
        raise UnfinishedError(f"{outcome.unfinished} trials of {submission.folder.name} are unfinished")
    driver.finish()


def _outcome_of(driver: _Driver) -> Outcome | None:
    """Let the driver run; return None where a newer one has taken over."""
    try:
        outcome = driver.run()
    except (Exception, KeyboardInterrupt) as error:  # Ray raises errors of many kinds
        if driver.superseded:
            return None
        if isinstance(error, InputError):
            # What the user wrote is as wrong for a standby.
            driver.note_fault(str(error))
            driver.cancel_others()
        elif not isinstance(error, KeyboardInterrupt):
            driver.leave_to_standby(error)
        raise
    return None if driver.superseded else outcome


class _Driver:
    """One driver's job, from its start to the sweep's end or its own."""

    def __init__(self, submission: Submission, job_id: str, slurm: Slurm) -> None:
        self.job_id = job_id
        self.superseded = False
        self._submission = submission
        self._messages = submission.messages
        self._slurm = slurm
        self._name = f"{job_id}-{uuid.uuid4().hex[:8]}"
        self._takeover = Takeover(submission.folder, self._name, self._end_superseded)
        self._models: set[str] = set()
        self._progress: Progress | None = None
        roles = Roles(drive, work, self._settled, self._fillable, self._give_up)
        self._supervisor = Supervisor(submission, job_id, slurm, roles)

    def run(self) -> Outcome:
        """Drive; while another driver holds the sweep, wait until it ends."""
        submission = self._submission
        options = Options(
            data_dir=submission.data_dir,
            include_failed=submission.include_failed,
            submitted_at=submission.submitted_at,
            execute=submission.execute,
            cluster=self._ray_cluster,
            allowance_minutes=submission.site.allowance_minutes,
        )
        sweep = kept_sweep(submission.folder)
        self._models = {trial.training.model for trial in sweep.trials()}
        if self._follows_another():
            # The submission queued the first standby.
            self._supervisor.round()
        while True:
            try:
                return run_sweep(
                    sweep, submission.folder.results, options, self._note_progress, self._take_over
                )
            except SweepHeldError as held:
                self._takeover.wait_for_lock(held, self.note_fault)
            finally:
                self._takeover.close()

    def note_fault(self, message: str) -> None:
        """Keep what is wrong, for `status`."""
        _log.error("%s", message)
        with suppress(OSError):
            self._messages.note_fault("driver", self.job_id, message)

    def leave_to_standby(self, error: Exception) -> None:
        """Note what is wrong here; the standby tries again, unless that did not help before."""
        is_known = isinstance(error, NoisebenchError | OSError)
        self.note_fault(str(error) if is_known else f"{type(error).__name__}: {error}; see the driver's log")
        has_progressed = self._progress is not None and self._progress.settled_here > 0
        faults = self._messages.count_driver_fault(has_progressed=has_progressed)
        if faults < MAX_FAULTS and self._submission.number < MAX_DRIVERS:
            _log.info("the standby tries again: fault %d of %d in a row", faults, MAX_FAULTS)
            self._try(self._supervisor.ensure_standby)
        else:
            _log.error("%d drivers in a row ended by a fault: the sweep's other jobs are cancelled", faults)
            self.cancel_others()

    def finish(self) -> None:
        """Tell the workers that nothing is left to do, and cancel what still waits."""
        done = Head("", self._name, self._messages.next_generation(), done=True)
        patiently(partial(self._messages.publish, done))
        with suppress(OSError):
            self._messages.forget_token()
        self._try(lambda: self._slurm.cancel_named([self._submission.job_name("worker")], waiting_only=True))

    def cancel_others(self) -> None:
        """Cancel the standby and all workers."""
        driver, worker = (self._submission.job_name(role) for role in ("driver", "worker"))
        self._try(lambda: self._slurm.cancel_named([driver], waiting_only=True))
        self._try(lambda: self._slurm.cancel_named([worker]))

    def _take_over(self) -> None:
        with suppress(OSError):
            self._messages.forget_fault("driver", self.job_id)
        self._takeover.supersede_former()

    def _follows_another(self) -> bool:
        return self._submission.number > 1 or os.environ.get("SLURM_RESTART_COUNT", "0") != "0"

    @contextmanager
    def _ray_cluster(self) -> Iterator[Cluster]:
        """Start and publish a head; workers leave it when it ends."""
        site = self._submission.site
        address_here = own_address(site.interface)
        with private_scratch() as scratch, head_node(address_here, scratch) as address:
            head = Head(address, self._name, self._messages.next_generation())
            self._takeover.close()
            with (
                self._messages.published(head, self._end_superseded),
                periodically(self._round, ROUND_SECONDS, "supervisor", at_once=False),
            ):
                _log.info("driver %s, generation %d, Ray at %s", self._name, head.generation, address)
                unit = unit_of(site)
                yield Cluster(
                    address=address,
                    own_address=address_here,
                    # `noisebench scale` may bring as many while this driver runs.
                    nodes=site.limits.jobs - DRIVER_JOBS,
                    cpus=unit.cpus,
                    gpus=unit.gpus,
                    trials_per_gpu=site.trials_per_gpu,
                    scratch=scratch,
                    minutes=max(job.minutes for job in site.workers),
                    memory_mb=unit.memory_mb,
                )

    def _round(self) -> None:
        for step in (self._ingest, self._supervisor.round):
            try:
                step()
            except Exception:  # an error in one round must not end the thread of all rounds
                _log.warning("a round failed; the next one tries again", exc_info=True)

    def _ingest(self) -> None:
        report = ingest(self._submission.folder.results)
        if report.unpublished is not None:
            _log.warning("the database is not up to date: %s", report.unpublished)

    def _settled(self) -> int:
        folder = self._submission.folder
        with open_store(folder.results) as store:
            progress = sweep_progress(store, folder.name, [])
        return progress.completed + progress.failed

    def _note_progress(self, progress: Progress) -> None:
        self._progress = progress

    def _fillable(self) -> int:
        """Return how many workers the trials that are left can fill; all, where no trial has begun yet."""
        progress, site = self._progress, self._submission.site
        if progress is None:
            return site.limits.jobs
        # As for a submission, the model with the fewest places decides.
        places = min(
            places_of_worker(job, site.trials_per_gpu.get(model, 1))
            for job in site.workers
            for model in self._models
        )
        return math.ceil((progress.pending - progress.held + progress.running) / places)

    def _end_superseded(self) -> None:
        self.superseded = True
        signal.raise_signal(signal.SIGINT)

    def _give_up(self) -> None:
        """End the run without a successor: a standby could do no more."""
        driver = self._submission.job_name("driver")
        self._try(lambda: self._slurm.cancel_named([driver], waiting_only=True))
        name = self._submission.folder.name
        message = f"all workers left again and again; see their logs, then `noisebench resume {name}`"
        self.note_fault(message)
        signal.raise_signal(signal.SIGINT)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except (EnvironmentFault, OSError) as fault:
            _log.warning("%s", fault)


def _interrupt(_: int, __: FrameType | None) -> None:
    """End the run as Ctrl-C does: what runs is interrupted and goes on under the next driver."""
    signal.raise_signal(signal.SIGINT)
