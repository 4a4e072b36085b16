"""Tables of mean ± std on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from noisebench.cli.terminal import printable

if TYPE_CHECKING:
    from noisebench.store.blocks import TableCell

UNBOUNDED = 10_000
MARKS = {1: "¹", 2: "²"}
STYLES = {1: "bold underline", 2: "bold"}
# The columns that tell the rows of a table apart; what all rows share goes into the title.
ROW_KEYS = {"dataset": "data set", "noise": "noise", "detector": "detector"}


def print_tables(cells: Iterable[TableCell]) -> None:
    """Print one table for each block: a row for each setting, a column for each loss.

    `cells` are rows of the store's `sweep_tables`, those of one block together. The best (¹, bold and
    underlined) and the second best (², bold) have their marks also without a terminal. If a table is too
    wide for the terminal, deviation and parameter are printed below the mean.
    """
    from rich.console import Console

    # A pipe or a file has no width: lines are not wrapped there.
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else UNBOUNDED, highlight=False)
    for block, block_cells in groupby(cells, key=lambda cell: cell.block):
        rows = [_without_controls(cell) for cell in block_cells]
        table = _table(rows, " ")
        if Console(width=UNBOUNDED).measure(table).maximum > console.width:
            table = _table(rows, "\n")
        console.print(_title(printable(block), rows), soft_wrap=True, markup=False)
        console.print(table)


def _title(block: str, cells: list[TableCell]) -> str:
    shared = [label for key, label in _labels(cells[0]).items() if key not in _varying(cells)]
    seeds_asked = max(cell.seeds_asked for cell in cells)
    seeds = f"{seeds_asked} seeds" if seeds_asked > 1 else "one seed"
    return f"{block}: {', '.join([*shared, seeds])}; F1, mean ± std, ¹ best, ² second best"


def _table(cells: list[TableCell], joiner: str) -> Any:
    from rich.markup import escape
    from rich.table import Table

    keys = _varying(cells) or ["noise"]
    names = [_column(cell, cells) for cell in cells]
    losses = list(dict.fromkeys(names))
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for name, cell in zip(names, cells, strict=True):
        rows.setdefault(tuple(_labels(cell)[key] for key in keys), {})[name] = _text(cell, joiner)
    table = Table()
    for key in keys:
        table.add_column(ROW_KEYS[key], no_wrap=joiner == " ")
    for loss in losses:
        table.add_column(escape(loss), justify="right", no_wrap=joiner == " ")
    for setting, row in rows.items():
        table.add_row(*map(escape, setting), *(row.get(loss, "") for loss in losses))
    return table


def _varying(cells: list[TableCell]) -> list[str]:
    return [key for key in ROW_KEYS if len({_labels(cell)[key] for cell in cells}) > 1]


def _labels(cell: TableCell) -> dict[str, str]:
    noise = cell.corruption if cell.eta is None else f"{cell.corruption} {cell.eta:g}"
    return {"dataset": cell.dataset, "noise": noise, "detector": cell.detector}


def _column(cell: TableCell, cells: list[TableCell]) -> str:
    """Return the loss's name, with the parameters in which others of that name differ: "PZ, delay 0"."""
    parameters = _fixed(cell)
    same_name = [_fixed(other) for other in cells if other.loss == cell.loss]
    differing = [key for key, value in parameters.items() if any(other[key] != value for other in same_name)]
    return ", ".join([cell.loss, *(f"{key} {parameters[key]}" for key in differing)])


def _fixed(cell: TableCell) -> dict[str, Any]:
    """Return the parameters of a loss that are not chosen by the result, and its delay."""
    parameters = json.loads(cell.loss_parameters)
    parameters.pop(cell.parameter, None)
    return {**parameters, "delay": cell.delay}


def _text(cell: TableCell, joiner: str) -> str:
    """Return a cell's text with its marks; a dash if nothing is completed."""
    if cell.mean is None:
        return "–"
    parts = [f"{cell.mean:.3f}"] + ([] if cell.std is None else [f"± {cell.std:.3f}"])
    parts[-1] += MARKS.get(cell.rank or 0, "")
    if cell.rank in STYLES:
        parts = [f"[{STYLES[cell.rank]}]{part}[/]" for part in parts]
    if len(cell.tried) > 1:
        parts.append(f"({cell.parameter} {cell.value:g})")
    if cell.n < cell.seeds_asked:
        parts.append(f"n={cell.n}")
    return joiner.join(parts)


def _without_controls(cell: TableCell) -> TableCell:
    texts: dict[str, Any] = {
        name: printable(value) for name, value in vars(cell).items() if isinstance(value, str)
    }
    return replace(cell, **texts)
