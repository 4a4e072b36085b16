"""A worker's job: it lends its node to the sweep's Ray for as long as there is work."""

from __future__ import annotations

import logging
import os
import time
import uuid
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from noisebench.engine.node import (
    DATA_VARIABLE,
    ENDS_AT_VARIABLE,
    GPU_COUNTS_VARIABLE,
    WORKER_VARIABLE,
    leave_note,
    note_leave,
    token_environment,
)
from noisebench.errors import EnvironmentFault
from noisebench.records import provenance
from noisebench.records.attempts import LeaveReason
from noisebench.records.heartbeats import heartbeat
from noisebench.slurm.activity import Activity
from noisebench.slurm.allocation import Allocation, allocation, own_address
from noisebench.slurm.client import Slurm
from noisebench.slurm.data_copy import node_data
from noisebench.slurm.job import WorkerJob, gpus_of
from noisebench.slurm.mps import MpsDaemon, mps_daemon
from noisebench.slurm.protocol import Head, WorkerEnd
from noisebench.slurm.ray_node import Join, RayNode, worker_node
from noisebench.slurm.stop import Stop, stop_signals
from noisebench.slurm.submission import Submission, warn_of_other_code

LOOK_SECONDS = 2.0
# What a worker needs after its trials have drained: to end Ray, to ask for its requeue.
SHUTDOWN_SECONDS = 10.0
# `ray start` itself waits half a minute for a head that it cannot reach.
SHORT_STAY_SECONDS = 60.0
MAX_FAILED_JOINS = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """One worker's job: its allocation, its name in Ray and of its heartbeat, the signals it gets."""

    submission: Submission
    allocation: Allocation
    name: str
    stop: Stop
    slurm: Slurm = field(default_factory=Slurm)


def work(submission: Submission) -> str:
    """Join the sweep's Ray and leave when signalled or no longer needed; return the `WorkerEnd`.

    A job that has to end for its time limit or for preemption asks its batch script to requeue it.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    site, messages = submission.site, submission.messages
    allocated = allocation(os.environ, submission.worker.minutes)
    messages.workers.forget_requeue(allocated.job_id)
    name = f"{provenance.host()}-{allocated.job_id}-{uuid.uuid4().hex[:8]}"
    warn_of_other_code(submission)
    with stop_signals(allocated.ends_at, site.signal_seconds) as stop:
        worker = Worker(submission, allocated, name, stop)
        try:
            _refuse_missing_gpus(allocated, submission.worker)
            with heartbeat(submission.folder, name), node_data(submission) as data, _mps(worker) as mps:
                end = _lend(worker, data, mps)
        except EnvironmentFault as fault:
            messages.note_fault("worker", allocated.job_id, str(fault))
            raise
        _log.info("worker %s ends: %s", name, end)
        if end is WorkerEnd.IDLE:
            with suppress(OSError):
                messages.workers.note_unneeded(allocated.job_id)
        if end.wants_requeue and site.requeue and not messages.workers.is_draining(allocated.job_id):
            messages.workers.ask_for_requeue(allocated.job_id, end)
    return end.value


def _refuse_missing_gpus(allocated: Allocation, job: WorkerJob) -> None:
    expected = gpus_of(job)
    if allocated.gpus < expected:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        raise EnvironmentFault(
            f"the job asks for {expected} GPUs, but CUDA_VISIBLE_DEVICES on {provenance.host()} is "
            f"'{visible}'; correct `worker.gpu_request` in the site, or name the node in `worker.exclude`"
        )


def _mps(worker: Worker) -> AbstractContextManager[MpsDaemon | None]:
    if not worker.submission.site.mps or not worker.allocation.gpus:
        return nullcontext()
    return mps_daemon(os.environ["CUDA_VISIBLE_DEVICES"])


def _lend(worker: Worker, data: Path | None, mps: MpsDaemon | None) -> WorkerEnd:
    address = own_address(worker.submission.site.interface)
    # What is published now may be the last message of a driver that is gone.
    tried = worker.submission.messages.head()
    failed_joins, has_joined = 0, False
    while failed_joins < MAX_FAILED_JOINS:
        tried = _await_head(worker, tried)
        if tried is None:
            return _end_without_head(worker, has_joined=has_joined)
        if tried.done:
            return WorkerEnd.DONE
        _log.info("worker %s joins %s", worker.name, tried.address)
        with worker_node(_join(worker, tried, address, data, mps)) as node:
            joined, has_joined = time.monotonic(), True
            end = _stay(worker, node, tried, mps)
            if end is not None:
                return end
        failed_joins = failed_joins + 1 if time.monotonic() - joined < SHORT_STAY_SECONDS else 0
        _log.info("worker %s lost its driver", worker.name)
    raise EnvironmentFault(
        f"Ray on {provenance.host()} left the driver's Ray {failed_joins} times within "
        f"{SHORT_STAY_SECONDS:.0f} s of joining it: all nodes need the same noisebench, Ray and Python, and "
        "must reach each other at `interface`; `noisebench doctor --site` checks that"
    )


def _end_without_head(worker: Worker, *, has_joined: bool) -> WorkerEnd:
    """Return why a worker ends that was looking for a driver."""
    if worker.submission.messages.workers.is_draining(worker.allocation.job_id):
        return WorkerEnd.SCALED_DOWN
    kind = worker.stop.kind or WorkerEnd.NO_DRIVER
    # A job that never saw a driver in all its time is not requeued.
    return WorkerEnd.NO_DRIVER if kind is WorkerEnd.TIME_LIMIT and not has_joined else kind


def _join(worker: Worker, head: Head, address: str, data: Path | None, mps: MpsDaemon | None) -> Join:
    """Return how this node joins a head, with the variables that its trials read."""
    allocated, site = worker.allocation, worker.submission.site
    environment = {**token_environment(worker.submission.messages.token), WORKER_VARIABLE: worker.name}
    if data is not None:
        environment[DATA_VARIABLE] = str(data)
    if allocated.ends_at is not None:
        environment[ENDS_AT_VARIABLE] = f"{allocated.ends_at - SHUTDOWN_SECONDS:.0f}"
    if mps is not None:
        environment |= mps.environment
    # Ray reserves equal parts of a GPU on all nodes. Where a GPU takes more trials, it counts repeatedly.
    factor = worker.submission.worker.trials_factor
    if factor > 1 and allocated.gpus:
        devices = environment.get("CUDA_VISIBLE_DEVICES") or os.environ["CUDA_VISIBLE_DEVICES"]
        environment["CUDA_VISIBLE_DEVICES"] = repeated(devices, factor)
        environment[GPU_COUNTS_VARIABLE] = str(factor)
    return Join(
        head=head.address,
        address=address,
        name=worker.name,
        cpus=allocated.cpus,
        gpus=factor * allocated.gpus,
        drain_seconds=max(1.0, site.signal_seconds - SHUTDOWN_SECONDS),
        environment=environment,
        spared=frozenset() if mps is None else frozenset({mps.process.pid}),
    )


def repeated(devices: str, times: int) -> str:
    """Return a list of devices with each one repeated: "0,0,1,1" of "0,1"."""
    return ",".join(device for device in devices.split(",") for _ in range(times))


def _await_head(worker: Worker, tried: Head | None) -> Head | None:
    """Return a head that is done, or was renewed since the last try; None if the worker is to leave instead.

    It leaves if it is signalled or drained, or if no head comes.
    """
    messages = worker.submission.messages
    deadline = time.monotonic() + 60 * worker.submission.site.head_wait_minutes
    while time.monotonic() < deadline:
        if messages.workers.is_draining(worker.allocation.job_id):
            return None
        head = messages.head()
        if head is not None and (head.done or (head.address and head != tried)):
            return head
        if worker.stop.wait(LOOK_SECONDS):
            return None
    return None


def _stay(worker: Worker, node: RayNode, joined: Head, mps: MpsDaemon | None = None) -> WorkerEnd | None:
    """Watch the node until there is a reason to leave; None where the driver went away.

    Raises EnvironmentFault if MPS fails: the driver then takes the trials here to be lost with their node.
    """
    folder, messages = worker.submission.folder, worker.submission.messages
    activity = Activity(folder, worker.name)
    busy_until, idle = time.monotonic(), False
    while node.alive:
        if worker.stop.wait(LOOK_SECONDS):
            return _leave(worker, node)
        if mps is not None:
            mps.check()
        if messages.workers.is_draining(worker.allocation.job_id) and leave_note_of(worker) is None:
            _note_leave(worker, WorkerEnd.SCALED_DOWN)
        busy = activity.busy()
        note = leave_note_of(worker)
        if not busy and (idle or note is not None):
            return WorkerEnd.IDLE if idle else note
        head = messages.head()
        if head is not None and head.done:
            return WorkerEnd.DONE
        if head is not None and head.driver != joined.driver:
            return None
        if busy or node.starting:
            busy_until = time.monotonic()
        elif time.monotonic() - busy_until > 60 * worker.submission.site.idle_minutes and note is None:
            # The note comes first: a trial that begins at this moment then ends here, or waits again.
            _note_leave(worker, WorkerEnd.SCALED_DOWN)
            idle = True
    return None


def leave_note_of(worker: Worker) -> WorkerEnd | None:
    """Return why the worker's trials are to be the last ones, None where they are not."""
    kind = leave_note(worker.submission.folder, worker.name)
    return None if kind is None else WorkerEnd(kind)


def _note_leave(worker: Worker, kind: WorkerEnd) -> None:
    folder = worker.submission.folder
    with suppress(OSError):  # a full file system: the driver then notices the lost node without a note
        note_leave(folder, worker.name, LeaveReason(kind))


def _leave(worker: Worker, node: RayNode) -> WorkerEnd:
    """Drain the node within the time that Slurm leaves; return why."""
    stop, end = worker.stop, worker.stop.kind or WorkerEnd.CANCELLED
    # Before Slurm is asked, which takes seconds: some clusters kill the job soon after the signal.
    _note_leave(worker, end)
    if end is not WorkerEnd.TIME_LIMIT:
        ends_at = worker.slurm.preempted_at(worker.allocation.job_id)
        if ends_at is not None:
            end = WorkerEnd.PREEMPTED
            stop.end_by(ends_at)
            _note_leave(worker, end)
    _log.info("worker %s has to end: %s, %.0f s left", worker.name, end, stop.seconds_left)
    node.drain(max(0.0, stop.seconds_left - SHUTDOWN_SECONDS))
    return end
