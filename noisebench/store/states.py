"""What records say about sweeps and trials."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.store.reading import rows

Row = dict[str, Any]


@dataclass(frozen=True)
class TrialRecord:
    """Everything known of one trial: its fields (None where only an end was recorded), attempts, result."""

    trial_id: str
    state: str
    config: dict[str, Any] | None
    attempts: list[Row]
    result: Row | None


def trial_states(folder: SweepFolder) -> dict[str, str]:
    """Return the state of each trial in a sweep's manifest.

    States are completed, failed, started (no end recorded: it runs, or its process died unseen), interrupted,
    pending; a trial that another sweep completed is completed here too.
    """
    return _states(rows(folder.results, "states/sweep_states", {"sweep": folder.name}))


def states_of(results: ResultsFolder, trial_ids: list[str]) -> dict[str, str]:
    """Return the state, as in `trial_states`, of each given trial, whatever sweep ran it."""
    return _states(rows(results, "states/states_of", {"trial_ids": trial_ids}))


def failed_since(results: ResultsFolder, moment: datetime) -> set[str]:
    """Return the ids of all trials of which an attempt has failed since `moment`, a time with its zone."""
    found = rows(results, "states/failed_since", {"moment": moment.astimezone(UTC).replace(tzinfo=None)})
    return {row["trial_id"] for row in found}


def unended_attempts(folder: SweepFolder) -> list[Row]:
    """Return attempt_id, trial_id, worker, started_at (UTC) of a sweep's attempts without a recorded end."""
    return rows(folder.results, "states/unended_attempts", {"sweep": folder.name})


def sweep_progress(folder: SweepFolder, fresh_workers: list[str]) -> Row:
    """Return how far a sweep is.

    Keys: total, completed, running, failed, pending, failures, guards, rate_per_hour, eta_seconds, gpu_hours,
    device_hours.

    `fresh_workers` are the workers whose heartbeat is fresh: a started trial of any other is pending again.
    `failures` counts the failed trials by error_kind, `guards` the results that say nothing by their reason;
    rate_per_hour and eta_seconds are None where nothing ended in the last quarter of an hour; device_hours
    are those of CPUs and GPUs.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    parameters = {"sweep": folder.name, "fresh_workers": fresh_workers, "now": now}
    return rows(folder.results, "states/progress", parameters)[0]


def failures(folder: SweepFolder) -> list[Row]:
    """Return error_kind, error, trials (how many), example (a trial id) of a sweep's failures, most first."""
    return rows(folder.results, "states/failures", {"sweep": folder.name})


def table_cells(folder: SweepFolder, metric: str) -> list[Row]:
    """Return the cells of a sweep's tables for one metric, in the order of the manifest.

    Keys: block, setting_id (one row of the table), dataset, corruption, eta, detector, loss, delay,
    values_tried (how many of the swept parameter),
    parameter, value, mean, std, n, seeds_asked, rank (1 best, 2 second; means that print equal share it). A
    cell of which nothing is completed has n 0 and no mean. Raises InputError where no parameter can be
    chosen by the metric.
    """
    choosing = [row["name"] for row in rows(folder.results, "states/choosing_metrics", {})]
    if metric not in choosing:
        raise InputError(f"no table can be made of metric {metric!r}; known: {', '.join(choosing)}")
    return rows(folder.results, "states/table_cells", {"sweep": folder.name, "metric": metric})


def trial_record(results: ResultsFolder, trial_id_prefix: str) -> TrialRecord:
    """Return the record of the trial whose id starts with the prefix; InputError if none or several do."""
    matching = rows(results, "states/matching_trials", {"prefix": trial_id_prefix})
    if not matching:
        raise InputError(f"no trial in {results.root} has an id that starts with {trial_id_prefix!r}")
    if len(matching) > 1:
        ids = ", ".join(row["trial_id"] for row in matching)
        raise InputError(f"several trials start with {trial_id_prefix!r}: {ids}; give more digits")
    trial = {"trial_id": matching[0]["trial_id"]}
    config = rows(results, "states/trial_config", trial)
    result = rows(results, "states/trial_result", trial)
    return TrialRecord(
        trial_id=trial["trial_id"],
        state=matching[0]["state"],
        config=json.loads(config[0]["config"]) if config else None,
        attempts=rows(results, "states/trial_attempts", trial),
        result=result[0] if result else None,
    )


def _states(found: list[Row]) -> dict[str, str]:
    return {row["trial_id"]: row["state"] for row in found}
