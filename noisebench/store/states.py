"""What records say about sweeps and trials."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from noisebench.errors import InputError
from noisebench.records.attempts import ErrorKind
from noisebench.store.store import Store

Row = dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """One execution of a trial, as table `attempts` describes it; times are in UTC."""

    attempt_id: str
    trial_id: str
    sweep: str
    status: str
    error_kind: str | None
    error: str | None
    traceback: str | None
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    worker: str | None
    host: str | None
    pid: int | None
    device: str | None
    fast_path: str | None
    peak_memory_mb: float | None
    gpu_memory_mb: float | None
    slurm_job_id: str | None
    commit: str | None
    versions: str | None
    log: str | None
    scores: str | None
    scores_sha256: str | None
    evidence: str | None
    evidence_attempt: str | None
    started_checked: bool | None
    ended_checked: bool | None


@dataclass(frozen=True)
class TrialRecord:
    """Everything known of one trial: its fields (None where only an end was recorded), attempts, result."""

    trial_id: str
    state: str
    config: dict[str, Any] | None
    attempts: list[Attempt]
    result: Row | None


@dataclass(frozen=True)
class UnendedAttempt:
    """An attempt whose end is not recorded; `started_at` is in UTC."""

    attempt_id: str
    trial_id: str
    worker: str | None
    started_at: datetime


@dataclass(frozen=True)
class Interruption:
    """The recorded end of an interrupted attempt; `ended_at` has its time zone."""

    error_kind: ErrorKind
    ended_at: datetime


@dataclass(frozen=True)
class FailureGroup:
    """Failed trials with the same error; `example` is the id of one of them."""

    error_kind: str | None
    error: str | None
    trials: int
    example: str


@dataclass(frozen=True)
class SweepProgress:
    """How far a sweep is, in trials.

    `failures` counts the failed trials by error_kind, `guards` the results that say nothing by their reason.
    `rate_per_hour` and `eta_seconds` are None where nothing ended in the last quarter of an hour;
    `device_hours` are those of CPUs and GPUs.
    """

    total: int
    completed: int
    running: int
    failed: int
    pending: int
    failures: dict[str, int]
    guards: dict[str, int]
    rate_per_hour: float | None
    eta_seconds: float | None
    gpu_hours: float
    device_hours: float


def trial_states(store: Store, sweep: str) -> dict[str, str]:
    """Return the state of each trial in a sweep's manifest.

    States are completed, failed, started (no end recorded: it runs, or its process died unseen), interrupted,
    pending; a trial that another sweep completed is completed here too.
    """
    return _states(store.rows("states/sweep_states", {"sweep": sweep}))


def states_of(store: Store, trial_ids: list[str]) -> dict[str, str]:
    """Return the state, as in `trial_states`, of each of these trials, in whichever sweep it ran."""
    return _states(store.rows("states/states_of", {"trial_ids": trial_ids}))


def failures_since(store: Store, moment: datetime) -> dict[str, list[str | None]]:
    """Return the error kinds of what failed since `moment`, a time with its zone, by trial id."""
    parameters = {"moment": moment.astimezone(UTC).replace(tzinfo=None)}
    error_kinds: dict[str, list[str | None]] = {}
    for row in store.rows("states/failures_since", parameters):
        error_kinds.setdefault(row["trial_id"], []).append(row["error_kind"])
    return error_kinds


def interruptions_since(store: Store, sweep: str, moment: datetime) -> dict[str, list[Interruption]]:
    """Return how attempts of a sweep were interrupted since `moment`, a time with its zone, by trial id."""
    parameters = {"sweep": sweep, "moment": moment.astimezone(UTC).replace(tzinfo=None)}
    interruptions: dict[str, list[Interruption]] = {}
    for row in store.rows("states/interruptions_since", parameters):
        kind, ended_at = ErrorKind(row["error_kind"]), row["ended_at"].replace(tzinfo=UTC)
        interruptions.setdefault(row["trial_id"], []).append(Interruption(kind, ended_at))
    return interruptions


def unended_attempts(store: Store, sweep: str) -> list[UnendedAttempt]:
    """Return a sweep's attempts without a recorded end."""
    return [UnendedAttempt(**row) for row in store.rows("states/unended_attempts", {"sweep": sweep})]


def sweep_progress(store: Store, sweep: str, fresh_workers: list[str]) -> SweepProgress:
    """Return how far a sweep is.

    `fresh_workers` are the workers whose heartbeat is fresh: a started trial of any other is pending again.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    parameters = {"sweep": sweep, "fresh_workers": fresh_workers, "now": now}
    (row,) = store.rows("states/progress", parameters)
    return SweepProgress(**row)


def failures(store: Store, sweep: str) -> list[FailureGroup]:
    """Return what a sweep's failed trials failed with, the most frequent first."""
    return [FailureGroup(**row) for row in store.rows("states/failures", {"sweep": sweep})]


def trial_record(store: Store, trial_id_prefix: str) -> TrialRecord:
    """Return the record of the trial whose id starts with the prefix; InputError if none or several do."""
    matching = store.rows("states/matching_trials", {"prefix": trial_id_prefix})
    if not matching:
        raise InputError(f"no trial in {store.results.root} has an id that starts with {trial_id_prefix!r}")
    if len(matching) > 1:
        ids = ", ".join(row["trial_id"] for row in matching)
        raise InputError(f"several trials start with {trial_id_prefix!r}: {ids}; give more digits")
    trial = {"trial_id": matching[0]["trial_id"]}
    config = store.rows("states/trial_config", trial)
    result = store.rows("states/trial_result", trial)
    return TrialRecord(
        trial_id=trial["trial_id"],
        state=matching[0]["state"],
        config=json.loads(config[0]["config"]) if config else None,
        attempts=[Attempt(**row) for row in store.rows("states/trial_attempts", trial)],
        result=result[0] if result else None,
    )


def _states(rows: list[Row]) -> dict[str, str]:
    return {row["trial_id"]: row["state"] for row in rows}
