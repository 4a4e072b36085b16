"""Tables of mean ± std on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby
from typing import Any

MARKS = {1: "¹", 2: "²"}


def print_tables(cells: Iterable[dict[str, Any]]) -> None:
    """Print one table a block: a row for each setting, a column for each loss.

    `cells` are rows of the store's `table_cells`, those of one block together. Best (¹, bold and underlined) and second
    best (², bold) are told apart without colour too, so that a file or a pipe keeps the marks.
    """
    from rich.console import Console

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200, highlight=False)
    for block, rows in groupby(cells, key=lambda cell: cell["block"]):
        console.print(_table(block, list(rows)))


def _table(block: str, cells: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    columns = list(dict.fromkeys(_loss(cell) for cell in cells))
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for cell in cells:
        rows.setdefault(_setting(cell), {})[_loss(cell)] = _text(cell)
    title = f"{block}: F1, mean ± std ({_seeds(cells)}); ¹ best, ² second best"
    table = Table(title=title, title_justify="left", title_style="")
    for name in ("data set", "noise", "detector"):
        table.add_column(name, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for setting, row in rows.items():
        table.add_row(*setting, *(row.get(name, "–") for name in columns))
    return table


def _setting(cell: dict[str, Any]) -> tuple[str, ...]:
    eta = "" if cell["eta"] is None else f" {cell['eta']:g}"
    return cell["dataset"], f"{cell['corruption']}{eta}", cell["detector"]


def _loss(cell: dict[str, Any]) -> str:
    usual_delay = 1 if cell["loss"] == "PZ" else 0
    return cell["loss"] if cell["delay"] == usual_delay else f"{cell['loss']}, delay {cell['delay']}"


def _text(cell: dict[str, Any]) -> str:
    if cell["mean"] is None:
        return "–"
    std = "" if cell["std"] is None else f" ± {cell['std']:.3f}"
    text = f"{cell['mean']:.3f}{std}{MARKS.get(cell['rank'], '')}"
    if cell["rank"] in MARKS:
        style = "bold underline" if cell["rank"] == 1 else "bold"
        text = f"[{style}]{text}[/]"
    if cell["value"] is not None:
        text += f" ({cell['parameter']} {cell['value']:g})"
    if cell["n"] < cell["seeds_asked"]:
        text += f" n={cell['n']}"
    return text


def _seeds(cells: list[dict[str, Any]]) -> str:
    asked = max(cell["seeds_asked"] for cell in cells)
    return f"{asked} seeds" if asked > 1 else "one seed"
