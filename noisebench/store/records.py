"""Journal and manifest lines as typed rows, with schemas that follow from the records' dataclasses."""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, get_args, get_origin

import pyarrow as pa

from noisebench.records.attempts import Ended, Epoch, Result, Started
from noisebench.records.lines import record_fields

Row = dict[str, Any]

# What reading a line of the wrong shape raises; Arrow's own errors are among ValueError and TypeError.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError, ArithmeticError)

_TEXT, _WHOLE, _REAL, _TRUTH = pa.string(), pa.int64(), pa.float64(), pa.bool_()
_ARROW = {str: _TEXT, int: _WHOLE, float: _REAL, bool: _TRUTH, datetime: pa.timestamp("us"), dict: _TEXT}


def _arrow_type(kind: Any) -> pa.DataType:
    """Return the Arrow type of a field of a record; mappings become JSON text."""
    if kind in (Result, Epoch):
        return pa.struct(_arrow_fields(kind))
    if get_origin(kind) is tuple:
        return pa.list_(_arrow_type(get_args(kind)[0]))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _TEXT
    return _ARROW[get_origin(kind) or kind]


def _arrow_fields(record: type, without: tuple[str, ...] = ()) -> list[pa.Field]:
    return [
        pa.field(field.name, _arrow_type(field.type), nullable=field.optional)
        for field in record_fields(record)
        if field.name not in without
    ]


def _needed(columns: Mapping[str, pa.DataType]) -> list[pa.Field]:
    return [pa.field(name, kind, nullable=False) for name, kind in columns.items()]


# started_checked, ended_checked: whether the line carried a checksum, which was right. is_imported: whether
# the line came from an archive. ordinal: the line's position in its batch.
STARTS = pa.schema(
    _arrow_fields(Started, without=("config",))
    + _needed({"config_id": _TEXT, "seed": _WHOLE, "started_checked": _TRUTH})
)
END_MARKS = ("ended_checked", "is_imported")
ENDS = pa.schema(_arrow_fields(Ended) + _needed({"ordinal": _WHOLE, **dict.fromkeys(END_MARKS, _TRUTH)}))
SWEEP_TRIALS = pa.schema(
    _needed(
        {
            **dict.fromkeys(("sweep", "block", "trial_id", "config_id"), _TEXT),
            **dict.fromkeys(("seed", "seeds_asked", "position"), _WHOLE),
        }
    )
)
CONFIGS = pa.schema(
    [
        *_needed(
            {
                **dict.fromkeys(("config_id", "family_id", "setting_id", "dataset", "corruption"), _TEXT),
                **dict.fromkeys(("loss", "loss_parameters", "variant", "detector", "model"), _TEXT),
                **dict.fromkeys(("precision", "config"), _TEXT),
                **dict.fromkeys(("delay", "epochs"), _WHOLE),
            }
        ),
        *(pa.field(name, kind) for name, kind in {"eta": _REAL, "parameter": _TEXT, "value": _REAL}.items()),
    ]
)


def start_row(record: Started, config_id: str, started_checked: bool) -> Row:
    """Return the row of `STARTS` that a record makes."""
    return {
        **vars(record),
        "started_at": _naive(record.started_at),
        "versions": None if record.versions is None else _json(tuple(record.versions.items())),
        "config_id": config_id,
        "seed": record.config["seed"],
        "started_checked": started_checked,
    }


def end_row(record: Ended, ordinal: int, marks: Mapping[str, bool]) -> Row:
    """Return the row of `ENDS` that a record makes; `marks` holds its `END_MARKS`."""
    return {
        **vars(record),
        "ended_at": _naive(record.ended_at),
        "ordinal": ordinal,
        "result": None if record.result is None else vars(record.result),
        "epochs": [_epoch(epoch) for epoch in record.epochs],
        **marks,
    }


def sweep_trial_row(members: Row, config_id: str, sweep: str, position: int) -> Row:
    """Return the row of `SWEEP_TRIALS` that line `position` of a sweep's manifest makes."""
    seed = members["config"]["seed"]
    return {**members, "sweep": sweep, "position": position, "config_id": config_id, "seed": seed}


def table(rows: list[Row], schema: pa.Schema) -> pa.Table:
    """Return the rows as a table; raises one of `MALFORMED` where a value is missing or of another kind."""
    # Through structs: a table of one row, and there are many, costs a tenth of what it does by columns.
    columns = pa.array(rows, _struct(schema)).flatten()
    for field, column in zip(schema, columns, strict=True):
        if not field.nullable and column.null_count:
            raise ValueError(f"{field.name} is missing")
    return pa.Table.from_arrays(columns, schema=schema)


@lru_cache  # a process writes the same versions with every start
def _json(items: tuple[tuple[str, Any], ...]) -> str:
    return json.dumps(dict(items))


@cache
def _struct(schema: pa.Schema) -> pa.DataType:
    return pa.struct(list(schema))


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _epoch(epoch: Epoch) -> Row:
    row = {field.name: getattr(epoch, field.name) for field in fields(epoch)}
    return row if epoch.quantiles is None else {**row, "quantiles": json.dumps(epoch.quantiles)}
