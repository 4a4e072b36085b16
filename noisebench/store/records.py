"""Journal and manifest lines as typed rows."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pyarrow as pa

Row = dict[str, Any]

# What reading a line of the wrong shape raises; Arrow's own errors are among ValueError and TypeError.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError, ArithmeticError)

_DECODER = json.JSONDecoder(parse_constant=lambda _: None)
STATUSES = ("completed", "failed", "interrupted")
_TEXT, _WHOLE, _REAL, _MOMENT = pa.string(), pa.int64(), pa.float64(), pa.timestamp("us")


def _schema(needed: Mapping[str, pa.DataType], optional: Mapping[str, pa.DataType]) -> pa.Schema:
    fields = [pa.field(name, kind, nullable=False) for name, kind in needed.items()]
    return pa.schema(fields + [pa.field(name, kind) for name, kind in optional.items()])


_RESULT = pa.struct(
    {
        **dict.fromkeys(("precision", "recall", "f1", "specificity", "balanced_accuracy"), _REAL),
        **dict.fromkeys(("flagged", "correct", "wrong_labels", "samples"), _WHOLE),
        **dict.fromkeys(("realised_rate", "clean_accuracy", "clean_test_accuracy", "seconds"), _REAL),
        **dict.fromkeys(("threshold", "cohens_d", "wasserstein"), _REAL),
        **dict.fromkeys(("noise_hash", "guard", "transition"), _TEXT),
    }.items()
)
_EPOCH = pa.struct(
    {
        **dict.fromkeys(("fold", "epoch"), _WHOLE),
        **dict.fromkeys(("loss", "accuracy", "held_out_loss"), _REAL),
        "quantiles": _TEXT,
    }.items()
)
_ATTEMPT = dict.fromkeys(("attempt_id", "trial_id", "sweep"), _TEXT)

STARTS = _schema(
    {**_ATTEMPT, "started_at": _MOMENT, "config_id": _TEXT, "seed": _WHOLE},
    {
        **dict.fromkeys(("worker", "host", "device", "slurm_job_id", "commit", "versions", "log"), _TEXT),
        "pid": _WHOLE,
    },
)
ENDS = _schema(
    {**_ATTEMPT, "status": _TEXT, "ended_at": _MOMENT, "ordinal": _WHOLE},
    {
        **dict.fromkeys(("error_kind", "error", "traceback", "fast_path"), _TEXT),
        **dict.fromkeys(("seconds", "peak_memory_mb"), _REAL),
        "result": _RESULT,
        "epochs": pa.list_(_EPOCH),
    },
)
SWEEP_TRIALS = _schema(
    {
        **dict.fromkeys(("sweep", "block", "trial_id", "config_id"), _TEXT),
        **dict.fromkeys(("seed", "seeds_asked", "position"), _WHOLE),
    },
    {},
)
CONFIGS = _schema(
    {
        **dict.fromkeys(("config_id", "family_id", "setting_id", "dataset", "corruption", "loss"), _TEXT),
        **dict.fromkeys(("loss_parameters", "variant", "detector", "model", "precision", "config"), _TEXT),
        **dict.fromkeys(("delay", "epochs"), _WHOLE),
    },
    {"eta": _REAL, "parameter": _TEXT, "value": _REAL},
)


def parsed(text: bytes) -> Row:
    """Return the JSON object that a line holds; NaN and infinities become None."""
    record = _DECODER.decode(text.decode())
    if not isinstance(record, dict):
        raise TypeError("not a JSON object")
    return record


def start_row(record: Row, config_id: str) -> Row:
    """Return the row of `STARTS` that a `started` record makes."""
    versions = record.get("versions")
    return {
        **record,
        "started_at": _moment(record["started_at"]),
        "versions": None if versions is None else json.dumps(versions),
        "config_id": config_id,
        "seed": record["config"]["seed"],
    }


def end_row(record: Row, ordinal: int) -> Row:
    """Return the row of `ENDS` that an `ended` record makes; `ordinal` is its place in its batch."""
    status = record["status"]
    if status not in STATUSES:
        raise ValueError(f"status is {status!r}, not one of {', '.join(STATUSES)}")
    if status == "completed" and record["result"] is None:
        raise ValueError("completed without a result")
    return {
        **record,
        "ended_at": _moment(record["ended_at"]),
        "ordinal": ordinal,
        "epochs": [_epoch(epoch) for epoch in record.get("epochs") or ()],
    }


def sweep_trial_row(record: Row, config_id: str, sweep: str, position: int) -> Row:
    """Return the row of `SWEEP_TRIALS` that line `position` of a sweep's manifest makes."""
    seed = record["config"]["seed"]
    return {**record, "sweep": sweep, "position": position, "config_id": config_id, "seed": seed}


def table(rows: list[Row], schema: pa.Schema) -> pa.Table:
    """Return the rows as a table; raises one of `MALFORMED` where a value is missing or of another kind."""
    # Through structs: a table of one row, and there are many, costs a tenth of what it does by columns.
    columns = pa.array(rows, _struct(schema)).flatten()
    for field, column in zip(schema, columns, strict=True):
        if not field.nullable and column.null_count:
            raise ValueError(f"{field.name} is missing")
    return pa.Table.from_arrays(columns, schema=schema)


@cache
def _struct(schema: pa.Schema) -> pa.DataType:
    return pa.struct(list(schema))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time {text!r} has no time zone")
    return moment.astimezone(UTC).replace(tzinfo=None)


def _epoch(epoch: Row) -> Row:
    quantiles = epoch.get("quantiles")
    return epoch if quantiles is None else {**epoch, "quantiles": json.dumps(quantiles)}
