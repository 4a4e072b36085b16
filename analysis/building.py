"""Tables filled from the database."""

import csv
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from analysis.feeding import Feed
from analysis.grid import Cell, Row, Table, column_name, setting_labels
from analysis.items import PUBLISHED, TABLES, TableItem
from noisebench.store.blocks import block_table

LOSS_ORDER = ("CE", "FL", "GCE", "ANL-CE", "ANL-FL", "BL", "PZ")


def paper_table(feed: Feed, item: TableItem) -> Table:
    """Return one of the papers' tables; every cell that the paper prints is there, if only as missing."""
    table = block_as_table(feed, item)
    columns, settings = _printed(item)
    table.columns = _ordered([*table.columns, *columns])
    for labels in settings:
        if not any(row.labels[: len(labels)] == labels for row in table.rows):
            blanks = ("",) * (len(table.heads) - len(labels))
            table.rows.append(Row(labels + blanks, {}))
    return table


def other_tables(feed: Feed, metric: str = "f1", decimals: int = 3) -> list[Table]:
    """Return a table of every block that is none of the papers' and has a cell for the metric."""
    known = {item.block for item in TABLES} | {"fig2", "fig5", "clean"}
    found = []
    for block, sweep in sorted(feed.sweeps.items(), key=lambda pair: (pair[1], pair[0])):
        if block not in known:
            item = TableItem(
                f"{sweep}-{block}",
                "",
                f"{sweep}, {block}: {metric}",
                block,
                f"{sweep}.yaml",
                metric,
                decimals,
            )
            table = block_as_table(feed, item)
            if any(cell.n for _, _, cell in table.cells()):
                found.append(table)
    return found


def block_as_table(feed: Feed, item: TableItem) -> Table:
    """Return the table of a block as far as the database has it; without rows where it has no such block."""
    sweep = feed.sweep(item.block)
    table = Table(item.name, item.title, item.metric, item.decimals, sweep, item.block, item.spec)
    if sweep is None:
        return table
    found = block_table(feed.results, sweep, item.block, item.metric, item.decimals, item.over_delays)
    names = [row["loss"] if item.over_delays else column_name(row, found) for row in found]
    settings = setting_labels({row["setting_id"]: json.loads(row["config"]) for row in found})
    if any(settings.values()):
        table.heads = (*table.heads, "setting")
    rows: dict[str, Row] = {}
    for name, each in zip(names, found, strict=True):
        setting = each["setting_id"]
        if setting not in rows:
            labels = (_data_set(each), _eta(each["eta"]), settings[setting])
            rows[setting] = Row(labels[: len(table.heads)], {}, setting)
        rows[setting].cells[name] = _cell(each, item.over_delays)
    table.columns = _ordered(names)
    table.rows = list(rows.values())
    return table


def mark_ties(table: Table, tied: Iterable[str]) -> None:
    """Mark the cells of the given configurations as not told apart from the best of their row."""
    ids = set(tied)
    for row in table.rows:
        for column, cell in row.cells.items():
            if cell.config_id in ids:
                row.cells[column] = replace(cell, tied=True)


def _printed(item: TableItem) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return the losses and the rows that the paper's table has, none for a table of no paper."""
    with PUBLISHED.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == item.source]
    etas = {row["eta"]: float(row["eta"]) if row["eta"] else None for row in rows}
    settings = dict.fromkeys((row["dataset"], _eta(etas[row["eta"]])) for row in rows)
    return list(dict.fromkeys(row["loss"] for row in rows)), list(settings)


def _cell(row: dict[str, Any], over_delays: bool) -> Cell:
    chosen = []
    if row["values_tried"] > 1 and row["value"] is not None:
        chosen.append(f"{row['parameter']}={row['value']:g}")
    if over_delays and row["mean"] is not None and row["delay"] != 0:
        chosen.append(f"delay={row['delay']}")
    return Cell(
        mean=row["mean"],
        std=row["std"],
        n=row["n"],
        seeds_asked=row["seeds_asked"],
        rank=row["rank"],
        parameter=row["parameter"],
        value=row["value"],
        delay=row["delay"],
        chosen=tuple(chosen),
        commits=tuple(row["commits"]),
        hardware=tuple(row["hardware"]),
        config_id=row["config_id"],
    )


def _data_set(row: dict[str, Any]) -> str:
    usual = row["corruption"] in ("uniform", "human", "none")
    return row["dataset"] if usual else f"{row['dataset']}, {row['corruption']}"


def _eta(eta: float | None) -> str:
    return "" if eta is None else f"{eta:g}"


def _ordered(columns: Iterable[str]) -> list[str]:
    """Return the columns each once, the papers' losses in their order, others as they came."""
    known = {loss: place for place, loss in enumerate(LOSS_ORDER)}
    once = list(dict.fromkeys(columns))
    return sorted(once, key=lambda name: known.get(name.split(",")[0], len(known)))
