"""A driver's job: it raises a Ray head, runs the sweep over the workers that join, then sends them home."""

from __future__ import annotations

import logging
import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

from noisebench.engine.options import Cluster, Options
from noisebench.engine.run import Outcome, run_sweep
from noisebench.engine.scratch import private_scratch
from noisebench.errors import NoisebenchError
from noisebench.records.durable import patiently
from noisebench.records.lock import SweepHeldError
from noisebench.records.manifest import kept_sweep
from noisebench.records.periodic import periodically
from noisebench.slurm import commands
from noisebench.slurm.allocation import allocation, own_address
from noisebench.slurm.faults import note_fault
from noisebench.slurm.head import publish_done, published
from noisebench.slurm.job import gpus_per_node
from noisebench.slurm.ray_node import head_node
from noisebench.slurm.secret import token_environment
from noisebench.slurm.send import send_standby, send_workers
from noisebench.slurm.submission import Submission, warn_of_other_code
from noisebench.store.ingest import ingest

ROUND_SECONDS = 30.0
# How many looks in a row must find no worker's job, before the driver gives up waiting for one.
LOOKS_WITHOUT_WORKERS = 4

_log = logging.getLogger(__name__)


class UnfinishedError(Exception):
    """The driver has to end before the sweep does; as a failed job it makes room for its standby."""


def drive(submission: Submission) -> None:
    """Run what is pending of the sweep; raise where something is left, so that the standby takes over."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    given = allocation(os.environ)
    signal.signal(signal.SIGUSR2, _interrupt)
    os.environ.update(token_environment(submission.token))
    warn_of_other_code(submission)
    if submission.generation > 1 and os.environ.get("SLURM_RESTART_COUNT", "0") == "0":
        send_standby(submission, given.job_id)
    generation = f"{given.job_id}-{uuid.uuid4().hex[:8]}"
    try:
        outcome = _when_free(submission, generation)
    except NoisebenchError as fault:
        # What is wrong with the sweep, the site or the data is as wrong for a standby.
        note_fault(submission.results, submission.sweep, f"driver-{given.job_id}", str(fault))
        commands.cancel_jobs([submission.job_name("driver")], waiting_only=True)
        commands.cancel_jobs([submission.job_name("worker")])
        raise
    _log.info("%d of %d trials completed, %d failed", outcome.completed, outcome.total, outcome.failed)
    if outcome.unfinished:
        raise UnfinishedError(f"{outcome.unfinished} trials of {submission.sweep} are unfinished")
    patiently(partial(publish_done, submission.head, generation))
    commands.cancel_jobs([submission.job_name("worker")], waiting_only=True)


def _when_free(submission: Submission, generation: str) -> Outcome:
    """Drive; while another driver holds the sweep, stand by until it ends."""
    sweep = kept_sweep(submission.results.sweep(submission.sweep))
    options = Options(
        data_dir=submission.data_dir,
        include_failed=submission.include_failed,
        submitted_at=submission.submitted_at,
        execute=submission.execute,
        cluster=lambda: _raised(submission, generation),
        allowance_minutes=submission.site.allowance_minutes,
    )
    while True:
        try:
            return run_sweep(sweep, submission.results, options)
        except SweepHeldError as held:
            _log.info("%s", held)
            time.sleep(ROUND_SECONDS)


@contextmanager
def _raised(submission: Submission, generation: str) -> Iterator[Cluster]:
    """Raise a head that workers find; they leave when it has gone."""
    site = submission.site
    own = own_address(site.interface)
    if submission.generation > 1 and not commands.live_jobs([submission.job_name("worker")]):
        _log.info("no worker has waited for this driver; new ones: %s", ", ".join(send_workers(submission)))
    with (
        private_scratch() as scratch,
        head_node(own, scratch) as address,
        published(submission.head, address, generation),
        periodically(_Rounds(submission), ROUND_SECONDS, "rounds", at_once=False),
    ):
        _log.info("head of generation %s at %s", generation, address)
        yield Cluster(
            address=address,
            own_address=own,
            nodes=submission.workers * site.worker.nodes_per_job,
            cpus=site.worker.cpus,
            gpus=gpus_per_node(site.worker),
            trials_per_gpu=site.trials_per_gpu,
            scratch=scratch,
            minutes=site.worker.minutes,
            memory_mb=1024 * site.worker.memory_gb if site.worker.memory_gb else None,
        )


class _Rounds:
    """Takes in the journal now and then, and looks whether there are workers to wait for."""

    def __init__(self, submission: Submission) -> None:
        self._submission = submission
        self._looks = 0

    def __call__(self) -> None:
        """Make one round."""
        submission = self._submission
        try:
            report = ingest(submission.results)
            if report.unpublished is not None:
                _log.warning("the database is not up to date: %s", report.unpublished)
            self._look_for_workers()
        except Exception:  # no round's trouble may end the rounds; unknown never means dead
            _log.warning("a round went wrong; the next is in %.0f s", ROUND_SECONDS, exc_info=True)
            return
        if self._looks == LOOKS_WITHOUT_WORKERS:
            _give_up(submission)

    def _look_for_workers(self) -> None:
        """Count the looks in a row that found no worker; call back those that preemption cancelled."""
        workers = commands.recent_jobs([self._submission.job_name("worker")])
        cancelled = [job for job in workers if job.state == "PREEMPTED" and self._submission.site.requeue]
        for job in cancelled:
            _log.info("worker %s was preempted by cancelling it; it is to come back", job.job_id)
            commands.requeue(job.job_id)
        live = any(job.state not in commands.ENDED for job in workers)
        self._looks = 0 if live or cancelled else self._looks + 1


def _give_up(submission: Submission) -> None:
    """End the run: no standby could do what this driver cannot."""
    _log.info("no worker is left; `noisebench resume %s --site SITE` sends new ones", submission.sweep)
    commands.cancel_jobs([submission.job_name("driver")], waiting_only=True)
    signal.raise_signal(signal.SIGINT)


def _interrupt(_: int, __: FrameType | None) -> None:
    """End the run as Ctrl-C does: what runs is interrupted and goes on under the next driver."""
    signal.raise_signal(signal.SIGINT)
