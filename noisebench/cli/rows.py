"""Writes the rows of a query in one of several formats."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

from noisebench.errors import EnvironmentFault, InputError


def write(table: Any, style: str, out: Path | None) -> None:
    """Write an Arrow table as table, csv, json or parquet to `out`, or to stdout where that is None."""
    if style == "parquet" and out is None and sys.stdout.isatty():
        raise InputError("query: parquet is binary; name a file with --out FILE")
    data = {"table": _table, "csv": _csv, "json": _json, "parquet": _parquet}[style](table)
    if out is None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        out.write_bytes(data)
    except OSError as error:
        raise EnvironmentFault(f"{out}: cannot be written: {error.strerror}") from None


def _table(table: Any) -> bytes:
    names = list(table.column_names)
    rows = [[_cell(value) for value in row.values()] for row in table.to_pylist()]
    numeric = [_is_number(table.schema.field(index).type) for index in range(len(names))]
    widths = [max(len(row[column]) for row in [names, *rows]) for column in range(len(names))]
    lines = []
    for row in [names, *rows]:
        aligned = zip(row, widths, numeric, strict=True)
        cells = (cell.rjust(width) if right else cell.ljust(width) for cell, width, right in aligned)
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return ("\n".join(lines) + "\n").encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _is_number(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _csv(table: Any) -> bytes:
    import csv

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(row.values() for row in table.to_pylist())
    return text.getvalue().encode()


def _json(table: Any) -> bytes:
    return (json.dumps(table.to_pylist(), default=str) + "\n").encode()


def _parquet(table: Any) -> bytes:
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    return buffer.getvalue()
