"""A cluster's node as its trials see it: environment variables, notes of workers that leave, Ray's token."""

from __future__ import annotations

import json
import os
import secrets
import time
from pathlib import Path

from noisebench.records.attempts import LeaveReason
from noisebench.records.durable import read_of_sweep, write_of_sweep
from noisebench.records.folders import SweepFolder

# Trials pass only small objects through Ray's object store.
OBJECT_STORE_BYTES = 100 * 1024**2
# Memory of Ray's own processes on a node, with that of the worker's job.
RAY_MEMORY_MB = 1024

# The worker's name: the heartbeat that shows whether this node's trials are alive.
WORKER_VARIABLE = "NOISEBENCH_WORKER"
# The node's own copy of the data folder.
DATA_VARIABLE = "NOISEBENCH_NODE_DATA"
# How many times Ray counts each GPU of the node; absent: once.
GPU_COUNTS_VARIABLE = "NOISEBENCH_GPU_COUNTS"
# When the worker must leave the node, in seconds since 1970; absent if it has no time limit.
ENDS_AT_VARIABLE = "NOISEBENCH_ENDS_AT"


def seconds_left() -> float:
    """Return the seconds until the worker of this process must leave; infinity without a time limit."""
    ends_at = os.environ.get(ENDS_AT_VARIABLE)
    return float("inf") if ends_at is None else float(ends_at) - time.time()


def gpu_share(granted: float) -> float:
    """Return the part of a physical GPU, 0..1, that Ray granted; Ray may count each GPU several times."""
    return granted / int(os.environ.get(GPU_COUNTS_VARIABLE, "1"))


def note_leave(folder: SweepFolder, worker: str, reason: LeaveReason) -> None:
    """Record that `worker` leaves for a reason outside its trials: preempted, time-limit, cancelled."""
    path = folder.heartbeats / f"{worker}.left"
    write_of_sweep(path, json.dumps({"worker": worker, "kind": reason}).encode())


def leave_note(folder: SweepFolder, worker: str) -> LeaveReason | None:
    """Return why `worker` leaves or left, None if it has recorded no reason."""
    try:
        return LeaveReason(json.loads(read_of_sweep(folder.heartbeats / f"{worker}.left"))["kind"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_token(path: Path) -> None:
    """Write a new Ray auth token, mode 0600, into a folder that is private to the user."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())


def token_environment(path: Path) -> dict[str, str]:
    """Return the variables with which Ray's processes present this token, and require it of others."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}
