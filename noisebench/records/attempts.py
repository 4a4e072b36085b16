"""The two lines an attempt leaves in the journal."""

from __future__ import annotations

import datetime
import math
import os
from dataclasses import dataclass
from typing import Any

from noisebench.records import provenance
from noisebench.sweep.trial import Trial


@dataclass(frozen=True)
class End:
    """How an attempt ended: `status` completed, failed or interrupted, the last two with a kind of error."""

    status: str
    error_kind: str | None = None
    error: str | None = None


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the microsecond."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def started(
    attempt_id: str, sweep: str, trial: Trial, worker: str, device: str, log: str | None = None
) -> dict[str, Any]:
    """Return the line that says who runs what, with which code, where; `log` is a path in the results."""
    return {
        "event": "started",
        "attempt_id": attempt_id,
        "trial_id": trial.trial_id,
        "sweep": sweep,
        "config": trial.as_fields(),
        "started_at": now(),
        "worker": worker,
        "host": provenance.host(),
        "pid": os.getpid(),
        "device": device,
        "slurm_job_id": provenance.slurm_job_id(),
        "commit": provenance.commit(),
        "versions": provenance.versions(),
        "log": log,
    }


def ended(
    attempt_id: str,
    sweep: str,
    trial_id: str,
    status: str,
    *,
    seconds: float | None = None,
    error_kind: str | None = None,
    error: str | None = None,
    traceback: str | None = None,
    fast_path: str | None = None,
    result: dict[str, Any] | None = None,
    epochs: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return the line that says how an attempt ended: `status` completed, failed or interrupted."""
    return {
        "event": "ended",
        "attempt_id": attempt_id,
        "trial_id": trial_id,
        "sweep": sweep,
        "status": status,
        "error_kind": error_kind,
        "error": error,
        "traceback": traceback,
        "ended_at": now(),
        "seconds": seconds,
        "fast_path": fast_path,
        "peak_memory_mb": provenance.peak_memory_mb(),
        "result": _without_nan(result),
        "epochs": _without_nan(epochs or []),
    }


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: what has no value becomes null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return value
