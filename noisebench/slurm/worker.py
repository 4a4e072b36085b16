"""A worker's job: it lends its node to the sweep's Ray for as long as there is work."""

from __future__ import annotations

import logging
import os
import time
import uuid
from contextlib import suppress
from pathlib import Path

from noisebench.engine.deaths import leave_note, note_leave
from noisebench.engine.node import DATA_VARIABLE, ENDS_AT_VARIABLE, WORKER_VARIABLE
from noisebench.errors import EnvironmentFault
from noisebench.records import provenance
from noisebench.records.heartbeats import heartbeat
from noisebench.slurm import commands
from noisebench.slurm.activity import Activity
from noisebench.slurm.allocation import Allocation, allocation, own_address
from noisebench.slurm.data_copy import node_data
from noisebench.slurm.faults import note_fault
from noisebench.slurm.head import Head, read_head
from noisebench.slurm.ray_node import RayNode, worker_node
from noisebench.slurm.secret import token_environment
from noisebench.slurm.stop import Stop, stop_signals
from noisebench.slurm.submission import Submission, warn_of_other_code

LOOK_SECONDS = 2.0
# What a worker needs after its trials have drained: to end Ray, to say so.
FAREWELL_SECONDS = 10.0
# A node that cannot join is not to try for ever: `ray start` itself waits half a minute each time.
SHORT_STAY_SECONDS = 60.0
MOST_JOINS_IN_VAIN = 5

_log = logging.getLogger(__name__)


def work(submission: Submission) -> str:
    """Join the sweep's Ray, leave when told or of no use; return why: done, idle, headless, cancelled, ...

    A job that was told to end for its time limit or by preemption goes back into the queue.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    given = allocation(os.environ)
    name = f"{provenance.host()}-{given.job_id}-{uuid.uuid4().hex[:8]}"
    site = submission.site
    warn_of_other_code(submission)
    with stop_signals(given.ends_at, site.signal_seconds) as stop:
        try:
            with heartbeat(submission.results.sweep(submission.sweep), name), node_data(submission) as data:
                reason = _lend(submission, given, name, data, stop)
        except EnvironmentFault as fault:
            note_fault(submission.results, submission.sweep, f"worker-{given.job_id}", str(fault))
            raise
        _log.info("worker %s ends: %s", name, reason)
        if reason in ("time-limit", "preempted") and site.requeue and given.rank == 0:
            commands.requeue(given.job_id)
    return reason


def _lend(submission: Submission, given: Allocation, name: str, data: Path | None, stop: Stop) -> str:
    site = submission.site
    environment = {**token_environment(submission.token), WORKER_VARIABLE: name}
    if data is not None:
        environment[DATA_VARIABLE] = str(data)
    if given.ends_at is not None:
        environment[ENDS_AT_VARIABLE] = f"{given.ends_at - FAREWELL_SECONDS:.0f}"
    drain_seconds = max(1.0, site.signal_seconds - FAREWELL_SECONDS)
    own = own_address(site.interface)
    # What stands there may be the last word of a driver that is gone.
    tried = read_head(submission.head)
    in_vain = 0
    while in_vain < MOST_JOINS_IN_VAIN:
        tried = _await_head(submission, tried, stop)
        if tried is None:
            # Who found no driver in all its time is not to come back for more of it.
            return "headless" if stop.kind in (None, "time-limit") else stop.kind
        if tried.done:
            return "done"
        _log.info("worker %s joins %s", name, tried.address)
        with worker_node(
            tried.address, own, name, given.cpus, given.gpus, drain_seconds, environment
        ) as node:
            joined = time.monotonic()
            reason = _stay(submission, given, name, node, tried, stop)
            if reason is not None:
                return reason
        in_vain = in_vain + 1 if time.monotonic() - joined < SHORT_STAY_SECONDS else 0
        _log.info("worker %s lost its driver", name)
    raise EnvironmentFault(
        f"Ray on {provenance.host()} left the driver's Ray {in_vain} times within {SHORT_STAY_SECONDS:.0f} s "
        "of joining it: do all nodes have the same noisebench, Ray and Python, and reach each other at "
        "`interface`? `noisebench doctor --site` looks"
    )


def _await_head(submission: Submission, tried: Head | None, stop: Stop) -> Head | None:
    """Return a head that is done, or shows life since the last try; None if told to end, or none came."""
    deadline = time.monotonic() + 60 * submission.site.head_wait_minutes
    while time.monotonic() < deadline:
        head = read_head(submission.head)
        if head is not None and (head.done or head != tried):
            return head
        if stop.wait(LOOK_SECONDS):
            return None
    return None


def _stay(
    submission: Submission, given: Allocation, name: str, node: RayNode, joined: Head, stop: Stop
) -> str | None:
    """Watch over the node until there is a reason to leave; None where the driver went away."""
    activity = Activity(submission.results, submission.sweep, name)
    busy_until = time.monotonic()
    while node.alive:
        if stop.wait(LOOK_SECONDS):
            kind = _why(stop, given)
            _log.info("worker %s is told to end: %s, %.0f s left", name, kind, stop.seconds_left)
            with suppress(OSError):  # a full file system: the driver finds out by itself that we went
                note_leave(submission.results, submission.sweep, name, kind)
            node.drain(max(0.0, stop.seconds_left - FAREWELL_SECONDS))
            return kind
        # A trial that the time left cannot hold has said so; its neighbours finish theirs.
        told = leave_note(submission.results, submission.sweep, name)
        if told is not None and not activity.busy():
            return told
        head = read_head(submission.head)
        if head is not None and head.done:
            return "done"
        if head is not None and head.generation != joined.generation:
            return None
        if activity.busy():
            busy_until = time.monotonic()
        elif time.monotonic() - busy_until > 60 * submission.site.idle_minutes:
            return "idle"
    return None


def _why(stop: Stop, given: Allocation) -> str:
    kind = stop.kind or "cancelled"
    if kind == "time-limit" or (ends_at := commands.preempted_at(given.job_id)) is None:
        return kind
    stop.end_by(ends_at)
    return "preempted"
