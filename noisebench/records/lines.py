"""Journal lines: a record as JSON with a checksum."""

from __future__ import annotations

import json
import math
import types
import zlib
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from noisebench.records.attempts import Ended, Epoch, ErrorKind, Record, Result, Started, set_fields

Value = TypeVar("Value")

_CHECKSUM = b',"crc32":"'
_PLAIN = (str, int, float, dict)
# JSON has no NaN and infinities, but Python's decoder accepts them.
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)


class LineError(ValueError):
    """A journal line without a valid record."""


def encode(record: Record) -> bytes:
    """Return the record as one line with its newline; raise ValueError for NaN and infinities."""
    if isinstance(record, Started):
        values = {"event": "started", **_values(record)}
    else:
        values = {"event": "ended", **_values(record)}
        values["result"] = None if record.result is None else set_fields(record.result)
        values["epochs"] = [set_fields(epoch) for epoch in record.epochs]
    return with_checksum(json.dumps(values, separators=(",", ":"), allow_nan=False).encode())


def with_checksum(text: bytes) -> bytes:
    """Return a JSON object as a line with a last member crc32: the checksum of all bytes before it."""
    body = text.rstrip().removesuffix(b"}")
    return b'%s,"crc32":"%08x"}\n' % (body, zlib.crc32(body))


def has_checksum(line: bytes) -> bool:
    """Whether the line has a checksum; early versions wrote none. Raise LineError if it is wrong."""
    text = line.removesuffix(b"\n")
    body, member = text[:-20], text[-20:]
    if not member.startswith(_CHECKSUM) or not member.endswith(b'"}'):
        return False
    if member != b'%s%08x"}' % (_CHECKSUM, zlib.crc32(body)):
        raise LineError("the checksum does not match: the line was changed after it was written")
    return True


def decode(line: bytes) -> Record:
    """Return the record of a line, with or without its newline; ignore unknown members.

    Raises LineError if the line is not a start or an end, or if its checksum is wrong.
    """
    has_checksum(line)
    return parse(line)


def parse(line: bytes) -> Record:
    """Return the record of a line like `decode`, without checking the checksum."""
    members = json_object(line)
    try:
        match members.get("event"):
            case "started":
                return _from_members(Started, members)
            case "ended":
                return _checked_end(_from_members(Ended, members))
            case event:
                raise LineError(f"no line begins with event {event!r}")
    except (TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise error if isinstance(error, LineError) else LineError(str(error)) from error


def json_object(text: bytes) -> dict[str, Any]:
    """Return the JSON object of a line, NaN and infinities as None; raise LineError if it is not one."""
    try:
        value = _DECODER.decode(text.decode())
    except (ValueError, RecursionError) as error:
        raise LineError(str(error)) from None
    if not isinstance(value, dict):
        raise LineError("not a JSON object")
    return value


def _checked_end(record: Ended) -> Ended:
    if record.status == "completed" and record.result is None:
        raise LineError("completed without a result")
    return record


def _values(record: Record) -> dict[str, Any]:
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    moment = "started_at" if isinstance(record, Started) else "ended_at"
    values[moment] = values[moment].isoformat(timespec="microseconds")
    return values


class Field(NamedTuple):
    """A field of a record: its name, the type of its values, whether a line may omit it.

    JSON values of the Python type `plain` need no conversion.
    """

    name: str
    type: Any
    optional: bool
    plain: type | None


@cache
def record_fields(kind: Any) -> tuple[Field, ...]:
    """Return the fields of a record class; optional types without None."""
    hints = get_type_hints(kind)
    types = {name: _without_none(hint) for name, hint in hints.items()}
    plain = {name: get_origin(hint) or hint for name, hint in types.items()}
    return tuple(
        Field(
            field.name,
            types[field.name],
            field.default is not MISSING,
            plain[field.name] if plain[field.name] in _PLAIN else None,
        )
        for field in fields(kind)
    )


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (each for each in get_args(hint) if each is not type(None))
    return hint


def _from_members(kind: Callable[..., Value], members: dict[str, Any]) -> Value:
    values = {}
    for name, wanted, optional, plain in record_fields(kind):
        value = members.get(name)
        if plain is float and type(value) is float and not math.isfinite(value):  # written as 1e999
            value = None
        if type(value) is plain:
            values[name] = value
        elif value is not None:
            values[name] = _converted(name, value, wanted)
        elif not optional:
            raise LineError(f"{name!r} is missing")
    return kind(**values)


def _converted(name: str, value: Any, wanted: Any) -> Any:
    """Return a JSON value as the field's type; raise LineError if it does not match."""
    if wanted in (Result, Epoch):
        return _from_members(wanted, _checked(name, value, dict))
    if wanted is datetime:
        return moment(_checked(name, value, str))
    if wanted is ErrorKind:
        return ErrorKind(value) if value in list(ErrorKind) else ErrorKind.UNKNOWN
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        if value not in list(wanted):
            raise LineError(f"{name} is {value!r}, not one of {', '.join(wanted)}")
        return wanted(value)
    if wanted is float:
        return float(_checked(name, value, int | float))
    if get_origin(wanted) is tuple:
        return tuple(_from_members(get_args(wanted)[0], _checked(name, each, dict)) for each in value)
    return _checked(name, value, get_origin(wanted) or wanted)


def _checked(name: str, value: Any, wanted: Any) -> Any:
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise LineError(f"{name} is {value!r:.80}, which is of the wrong type")
    return value


def moment(text: str) -> datetime:
    """Return a recorded time in UTC; raise ValueError if it has no time zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"the time {text!r} has no time zone")
    return time.astimezone(UTC)
