"""Tables of mean ± std on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from noisebench.cli.terminal import printable
from noisebench.store.blocks import Selection, TableCell
from noisebench.store.columns import column_names, setting_labels

UNBOUNDED = 10_000
# Ranks are among means as printed.
DECIMALS = Selection.decimals
MARKS = {1: "¹", 2: "²"}
STYLES = {1: "bold underline", 2: "bold"}
# The columns that tell the rows of a table apart; what all rows share goes into the title.
ROW_KEYS = {"dataset": "data set", "noise": "noise", "detector": "detector", "setting": "setting"}


def print_tables(cells: Iterable[TableCell], metric: str = "F1") -> None:
    """Print one table for each block: a row for each setting, a column for each loss.

    `cells` are rows of the store's `sweep_tables`, those of one block together. Only the table by F1 is also
    printed where no cell has a value. The best (¹, bold and underlined) and the second best (², bold) have
    their marks also without a terminal. If a table is too wide for the terminal, deviation and parameter are
    printed below the mean.
    """
    from rich.console import Console

    # A pipe or a file has no width: lines are not wrapped there.
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else UNBOUNDED, highlight=False)
    for block, block_cells in groupby(cells, key=lambda cell: cell.block):
        rows = list(block_cells)
        if metric != "F1" and all(cell.mean is None for cell in rows):
            continue
        table = _table(rows, " ")
        if Console(width=UNBOUNDED).measure(table).maximum > console.width:
            table = _table(rows, "\n")
        console.print(_title(printable(block), rows, metric), soft_wrap=True, markup=False)
        console.print(table)


def _title(block: str, cells: list[TableCell], metric: str) -> str:
    labels = _labels(cells)
    varying, first = _varying(labels), labels[cells[0].setting_id]
    shared = [label for key, label in first.items() if label and key not in varying]
    seeds_asked = max(cell.seeds_asked for cell in cells)
    seeds = f"{seeds_asked} seeds" if seeds_asked > 1 else "one seed"
    return f"{block}: {', '.join([*shared, seeds])}; {metric}, mean ± std, ¹ best, ² second best"


def _table(cells: list[TableCell], joiner: str) -> Any:
    from rich.markup import escape
    from rich.table import Table

    labels = _labels(cells)
    keys = _varying(labels) or ["noise"]
    names = [printable(name) for name in column_names(cells)]
    columns = list(dict.fromkeys(names))
    rows: dict[str, dict[str, str]] = {}
    for name, cell in zip(names, cells, strict=True):
        rows.setdefault(cell.setting_id, {})[name] = _text(cell, joiner)
    table = Table()
    for key in keys:
        table.add_column(ROW_KEYS[key], no_wrap=joiner == " ")
    for column in columns:
        table.add_column(escape(column), justify="right", no_wrap=joiner == " ")
    for setting, row in rows.items():
        heads = (escape(labels[setting][key]) for key in keys)
        table.add_row(*heads, *(row.get(column, "") for column in columns))
    return table


def _labels(cells: list[TableCell]) -> dict[str, dict[str, str]]:
    """Return what each setting shows under `ROW_KEYS`, by setting_id."""
    settings = setting_labels(cells)
    labels = {}
    for cell in cells:
        noise = cell.corruption if cell.eta is None else f"{cell.corruption} {cell.eta:g}"
        texts = (cell.dataset, noise, cell.detector, settings[cell.setting_id])
        labels[cell.setting_id] = dict(zip(ROW_KEYS, map(printable, texts), strict=True))
    return labels


def _varying(labels: dict[str, dict[str, str]]) -> list[str]:
    return [key for key in ROW_KEYS if len({row[key] for row in labels.values()}) > 1]


def _text(cell: TableCell, joiner: str) -> str:
    """Return a cell's text with its marks; a dash if nothing is completed."""
    if cell.mean is None:
        return "–"
    parts = [f"{cell.mean:.{DECIMALS}f}"] + ([] if cell.std is None else [f"± {cell.std:.{DECIMALS}f}"])
    parts[-1] += MARKS.get(cell.rank or 0, "")
    if cell.rank in STYLES:
        parts = [f"[{STYLES[cell.rank]}]{part}[/]" for part in parts]
    if len(cell.tried) > 1:
        parts.append(f"({cell.parameter} {cell.value:g})")
    if cell.n < cell.seeds_asked:
        parts.append(f"n={cell.n}")
    return joiner.join(parts)
