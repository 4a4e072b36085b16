"""The `ended` lines of a batch read all at once."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from noisebench.records.attempts import ErrorKind, Status
from noisebench.store.records import END_MARKS, ENDS

_ADDED = ("ended_at", "ordinal", *END_MARKS)
# As the lines have it: the time is text, what is added here is not written.
_WIRE = pa.schema(
    [
        ("event", pa.string()),
        *(field for field in ENDS if field.name not in _ADDED),
        ("ended_at", pa.string()),
    ]
)
_NEEDED = ("event", *(field.name for field in ENDS if not field.nullable and field.name not in _ADDED[1:]))


def table(lines: list[bytes], marks: Sequence[Mapping[str, bool]]) -> pa.Table:
    """Return the lines, with the `END_MARKS` of each, as a table of `ENDS`: faster than one after another.

    Raises ValueError or another of `records.MALFORMED` where one of them has an unusual form. The caller then
    reads the lines one by one: most of these can still be read.
    """
    text = b"".join(lines)
    if not text.isascii():
        text.decode()  # Arrow lets bytes pass that are no UTF-8, which DuckDB then refuses
    read = pyarrow.json.read_json(
        pa.BufferReader(text),
        pyarrow.json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        pyarrow.json.ParseOptions(explicit_schema=_WIRE, unexpected_field_behavior="ignore"),
    )
    if read.num_rows != len(lines) or any(read[name].null_count for name in _NEEDED):
        raise ValueError("a line is no whole record")
    status = read["status"]
    if not pc.all(pc.is_in(status, pa.array(list(Status)))).as_py():
        raise ValueError("a status is unknown")
    kinds = pc.is_in(read["error_kind"], pa.array([*ErrorKind, None], pa.string()))
    if not pc.all(kinds).as_py():
        raise ValueError("an error kind is unknown")
    if pc.any(pc.and_(pc.equal(status, "completed"), pc.is_null(read["result"]))).as_py():
        raise ValueError("a completed record has no result")
    if not all(map(_is_usual, read.columns)):
        raise ValueError("a number is infinite, or an epoch is missing")
    moments = read["ended_at"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    added = {
        "ended_at": moments,
        "ordinal": pa.array(range(len(lines)), pa.int64()),
        **{name: pa.array([each[name] for each in marks], pa.bool_()) for name in END_MARKS},
    }
    columns = read.drop_columns(["ended_at"])
    for name, column in added.items():
        columns = columns.append_column(name, column)
    return columns.select(ENDS.names)


def _is_usual(column: pa.ChunkedArray) -> bool:
    """Whether all numbers in a column are finite, and no list in it has a missing element."""
    kind = column.type
    if pa.types.is_floating(kind):
        return pc.all(pc.is_finite(column)).as_py() is not False
    if pa.types.is_struct(kind):
        return all(map(_is_usual, column.flatten()))
    if pa.types.is_list(kind):
        elements = pc.list_flatten(column)
        return elements.null_count == 0 and _is_usual(elements)
    return True
