"""A row of the benchmark table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

VERDICTS = ("ok", "short", "failed", "not measured")


@dataclass(frozen=True)
class Row:
    """A measurement: `figures` as text, the `ratio` to the peer, and the `bar` that it must meet.

    `verdict` is one of `VERDICTS`.
    """

    number: str
    what: str
    figures: str
    ratio: str
    bar: str
    verdict: str

    HEADER = ("#", "what", "figures", "ratio", "bar", "")

    def cells(self) -> tuple[str, ...]:
        """Return the cells under `HEADER`."""
        return (self.number, self.what, self.figures, self.ratio, self.bar, self.verdict)


def at_least(number: str, what: str, figures: str, ratio: float, bar: float, unit: str = "x") -> Row:
    """Return the row of a ratio that must be at least its bar."""
    return Row(number, what, figures, f"{ratio:.2f}{unit}", f">= {bar:g}{unit}", _verdict(ratio >= bar))


def at_most(number: str, what: str, figures: str, ratio: float, bar: float, unit: str = "x") -> Row:
    """Return the row of a ratio that must be at most its bar."""
    return Row(number, what, figures, f"{ratio:.2f}{unit}", f"<= {bar:g}{unit}", _verdict(ratio <= bar))


def not_measured(number: str, what: str, bar: str, why: str = "needs a GPU") -> Row:
    """Return the row of a measurement that is not possible here."""
    return Row(number, what, why, "", bar, "not measured")


def failed(number: str, error: Exception) -> Row:
    """Return the row of a measurement that raised an error."""
    (message, *_) = str(error).splitlines() or [""]
    return Row(number, "failed", f"{type(error).__name__}: {message}", "", "", "failed")


def print_rows(rows: Iterable[Row], *, as_json: bool) -> None:
    """Print rows as they come: as aligned text, or as one JSON object for each line."""
    for row in rows:
        print(json.dumps(asdict(row)) if as_json else text(row), flush=True)


def text(row: Row) -> str:
    """Return a row as a line of text."""
    widths = (2, -58, -66, 11, -8, -12)
    cells = (
        cell.rjust(width) if width > 0 else cell.ljust(-width)
        for cell, width in zip(row.cells(), widths, strict=True)
    )
    return "  ".join(cells).rstrip()


def _verdict(met: bool) -> str:
    return "ok" if met else "short"
