"""Parameters: kind, default, range."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from noisebench.catalogue.component import Value


class _Marker:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


REQUIRED: Final = _Marker("required")
FROM_RECIPE: Final = _Marker("from the data set's recipe")

Kind = Literal["number", "integer", "flag", "text", "matrix"]


@dataclass(frozen=True)
class Parameter:
    """One parameter: `low` and `high` bound it, `open_low` and `open_high` exclude the bound itself.

    Text must be one of `choices` or match `pattern`, if there are any; `right` describes both. `implied`: the
    value for which a component leaves the parameter out, default or not, so that trials that are older than
    the parameter keep their ids.
    """

    kind: Kind
    default: Value | _Marker = REQUIRED
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    choices: tuple[str, ...] = ()
    optional: bool = False
    pattern: str = ""
    right: str = ""
    implied: Value = None

    def read(self, value: Any) -> Value:
        """Return `value` as this parameter stores it (1 becomes 1.0 for a number).

        Raises ValueError with a description of what is right.
        """
        if value is None and self.optional:
            return None
        if self.kind == "matrix":
            return _matrix(value)
        if self.kind == "flag" and isinstance(value, bool):
            return value
        if self.kind == "text" and isinstance(value, str) and self._allows(value):
            return value
        if self.kind == "number" and _is_number(value) and self._in_range(value):
            return float(value)
        if self.kind == "integer" and _is_number(value) and isinstance(value, int) and self._in_range(value):
            return value
        raise ValueError(self.describe())

    def describe(self) -> str:
        """Return a description of the correct values, for error messages and documentation."""
        if self.right:
            return self.right
        if self.choices:
            return "one of " + ", ".join(self.choices)
        noun = {
            "number": "a number",
            "integer": "a whole number",
            "flag": "true or false",
            "text": "text",
            "matrix": "a list of rows of numbers in [0, 1], each row adding up to 1",
        }[self.kind]
        return noun + self._range_text()

    def _allows(self, value: str) -> bool:
        if self.choices and (value in self.choices or not self.pattern):
            return value in self.choices
        return not self.pattern or re.fullmatch(self.pattern, value) is not None

    def _in_range(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return math.isfinite(value) and above and below

    def _range_text(self) -> str:
        if math.isinf(self.low) and math.isinf(self.high):
            return ""
        if math.isinf(self.high):
            return f" above {self.low:g}" if self.open_low else f" of at least {self.low:g}"
        if math.isinf(self.low):
            return f" below {self.high:g}" if self.open_high else f" of at most {self.high:g}"
        left, right = "(" if self.open_low else "[", ")" if self.open_high else "]"
        return f" in {left}{self.low:g}, {self.high:g}{right}"


def number(
    default: Value | _Marker = REQUIRED, low: float = -math.inf, high: float = math.inf, **limits: Any
) -> Parameter:
    """A real number."""
    return Parameter("number", float(default) if isinstance(default, int) else default, low, high, **limits)


def integer(
    default: Value | _Marker = REQUIRED, low: float = -math.inf, high: float = math.inf, **limits: Any
) -> Parameter:
    """A whole number."""
    return Parameter("integer", default, low, high, **limits)


def flag(default: Value | _Marker = REQUIRED) -> Parameter:
    """True or false."""
    return Parameter("flag", default)


def text(default: Value | _Marker = None, *, pattern: str = ".+", right: str = "text") -> Parameter:
    """Text of one line that matches `pattern`; `right` describes what matches."""
    return Parameter("text", default, pattern=pattern, right=right)


def choice(default: Value | _Marker, *choices: str, implied: str | None = None) -> Parameter:
    """One of a few names."""
    return Parameter("text", default, choices=choices, implied=implied)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)  # bool is an int to Python


def _matrix(value: Any) -> tuple[tuple[float, ...], ...]:
    right = Parameter("matrix").describe()
    if not isinstance(value, list) or not value or not all(isinstance(row, list) for row in value):
        raise ValueError(right)
    rows = tuple(tuple(row) for row in value)
    for row in rows:
        if not all(
            isinstance(cell, int | float) and not isinstance(cell, bool) and 0 <= cell <= 1 for cell in row
        ):
            raise ValueError(right)
        if len(row) != len(rows) or abs(sum(row) - 1) > 1e-6:
            raise ValueError(right + ", as many rows as columns")
    return tuple(tuple(float(cell) for cell in row) for row in rows)
