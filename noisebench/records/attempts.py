"""The two journal records of an attempt: its start and its end."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from noisebench.records import provenance
from noisebench.sweep.trial import Trial


class Status(StrEnum):
    """How an attempt ended. Only interrupted trials run again without a request."""

    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class ErrorKind(StrEnum):
    """Why an attempt failed or was interrupted."""

    EXCEPTION = "exception"
    DIVERGED = "diverged"
    GPU_MEMORY = "gpu-memory"
    GPU_ERROR = "gpu-error"
    HOST_MEMORY = "host-memory"
    TIMEOUT = "timeout"
    DATA = "data"
    STORAGE = "storage"
    PROCESS_DIED = "process-died"
    NODE_LOST = "node-lost"
    PREEMPTED = "preempted"
    TIME_LIMIT = "time-limit"
    SCALED_DOWN = "scaled-down"
    DRIVER_LOST = "driver-lost"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"  # a kind that only a newer version knows


class LeaveReason(StrEnum):
    """Why a worker ends, other than through its trials."""

    PREEMPTED = "preempted"
    TIME_LIMIT = "time-limit"
    SCALED_DOWN = "scaled-down"
    CANCELLED = "cancelled"

    @property
    def error_kind(self) -> ErrorKind:
        """The error kind of the worker's interrupted attempts."""
        return ErrorKind(self.value)


@dataclass(frozen=True)
class End:
    """How an attempt ended; `error_kind` and `error` are None if it completed."""

    status: Status
    error_kind: ErrorKind | None = None
    error: str | None = None


@dataclass(frozen=True)
class Result:
    """The results of a completed trial; table `metrics` of the database describes the numbers.

    None: the detector does not measure the value, or the value is not finite.
    """

    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    specificity: float | None = None
    balanced_accuracy: float | None = None
    auroc: float | None = None
    average_precision: float | None = None
    flagged: int | None = None
    correct: int | None = None
    wrong_labels: int | None = None
    samples: int | None = None
    realised_rate: float | None = None
    clean_accuracy: float | None = None
    clean_test_accuracy: float | None = None
    seconds: float | None = None
    threshold: float | None = None
    cohens_d: float | None = None
    wasserstein: float | None = None
    noise_hash: str | None = None
    guard: str | None = None
    transition: str | None = None
    knows_rate: bool | None = None

    @classmethod
    def of(cls, measured: dict[str, Any]) -> Result:
        """Build a result from numbers by name; NaN and infinities become None."""
        return cls(**finite(measured))


@dataclass(frozen=True)
class Epoch:
    """Statistics of one epoch of one fold (or run); `quantiles` only with dynamics."""

    fold: int | None = None
    epoch: int | None = None
    loss: float | None = None
    accuracy: float | None = None
    held_out_loss: float | None = None
    quantiles: dict[str, Any] | None = None

    @classmethod
    def of(cls, observed: dict[str, Any]) -> Epoch:
        """Build an epoch from numbers by name; NaN and infinities become None."""
        return cls(**finite(observed))


@dataclass(frozen=True)
class Started:
    """The start of an attempt: its trial, process, device and code version.

    `config` holds the trial's fields, as `Trial.as_fields` gives them. `log` is a path in the results folder.
    """

    attempt_id: str
    trial_id: str
    sweep: str
    config: dict[str, Any]
    started_at: datetime
    worker: str | None = None
    host: str | None = None
    pid: int | None = None
    device: str | None = None
    slurm_job_id: str | None = None
    commit: str | None = None
    versions: dict[str, str] | None = None
    log: str | None = None

    @property
    def trial(self) -> Trial:
        """The trial that was started."""
        return Trial.from_fields(self.config)


@dataclass(frozen=True)
class Ended:
    """The end of an attempt; a completed attempt has a result.

    `seconds` is its duration, `peak_memory_mb` the process's highest resident memory and `gpu_memory_mb` its
    highest reserved GPU memory, both in MiB. `scores` is the path of its per-sample scores in the results
    folder and `scores_sha256` their hash (64 hex digits). `evidence` is the id of the evidence that a
    completed attempt judged, `evidence_attempt` the attempt that trained it: another one if it was reused.
    """

    attempt_id: str
    trial_id: str
    sweep: str
    status: Status
    ended_at: datetime
    error_kind: ErrorKind | None = None
    error: str | None = None
    traceback: str | None = None
    seconds: float | None = None
    fast_path: str | None = None
    peak_memory_mb: float | None = None
    gpu_memory_mb: float | None = None
    scores: str | None = None
    scores_sha256: str | None = None
    evidence: str | None = None
    evidence_attempt: str | None = None
    result: Result | None = None
    epochs: tuple[Epoch, ...] = ()

    @property
    def end(self) -> End:
        """The status and the error, without the result."""
        return End(self.status, self.error_kind, self.error)


Record = Started | Ended


def started(
    attempt_id: str, sweep: str, trial: Trial, worker: str, device: str, log: str | None = None
) -> Started:
    """Return the record of an attempt that starts now in this process."""
    return Started(
        attempt_id=attempt_id,
        trial_id=trial.trial_id,
        sweep=sweep,
        config=trial.as_fields(),
        started_at=datetime.now(UTC),
        worker=worker,
        host=provenance.host(),
        pid=os.getpid(),
        device=device,
        slurm_job_id=provenance.slurm_job_id(),
        commit=provenance.commit(),
        versions=provenance.versions(),
        log=log,
    )


def ended(attempt_id: str, sweep: str, trial_id: str, end: End) -> Ended:
    """Return the record of an attempt that ends now; add the result with `dataclasses.replace`."""
    return Ended(
        attempt_id=attempt_id,
        trial_id=trial_id,
        sweep=sweep,
        status=end.status,
        ended_at=datetime.now(UTC),
        error_kind=end.error_kind,
        error=end.error,
        peak_memory_mb=provenance.peak_memory_mb(),
    )


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def finite(value: Any) -> Any:
    """Return `value` with NaN and infinities replaced by None, since JSON has neither."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def set_fields(value: Result | Epoch) -> dict[str, Any]:
    """Return the fields of a result or an epoch that are not None, by name."""
    items = ((field.name, getattr(value, field.name)) for field in fields(value))
    return {name: item for name, item in items if item is not None}
