"""Tables filled from the database."""

import csv
import json
from collections.abc import Iterable
from dataclasses import replace

from analysis.feeding import Feed
from analysis.grid import Cell, Row, Table
from analysis.items import EQUAL_TUNING, FIGURE_BLOCKS, PUBLISHED, TABLES, TableItem
from noisebench.store.blocks import Selection, TableCell, block_table
from noisebench.store.columns import column_names, differing, plain, setting_labels

LOSS_ORDER = ("CE", "FL", "GCE", "ANL-CE", "ANL-FL", "BL", "PZ")


def paper_table(feed: Feed, item: TableItem) -> Table:
    """Return one of the papers' tables with every printed cell, measured or missing, in the printed order.

    Rows that the paper lacks come first.
    """
    table = block_as_table(feed, item)
    columns, settings, table.published_seeds = _printed(item)
    table.columns = _ordered([*table.columns, *columns])
    for labels in settings:
        if not any(row.labels[: len(labels)] == labels for row in table.rows):
            blanks = ("",) * (len(table.heads) - len(labels))
            table.rows.append(Row(labels + blanks, {}))
    positions = {labels: position for position, labels in enumerate(settings)}
    table.rows.sort(key=lambda row: positions.get((row.labels[0], row.labels[1]), -1))
    return table


def other_tables(feed: Feed) -> list[Table]:
    """Return a table of F1 for every block with results that no table or figure of the papers reads."""
    tables, of_papers = [], {item.block for item in TABLES} | set(FIGURE_BLOCKS)
    for sweep, block in sorted(feed.blocks):
        if block not in of_papers:
            table = block_as_table(feed.of(sweep), _block_item(feed.of(sweep), sweep, block))
            if any(cell.n for _, _, cell in table.cells()):
                tables.append(table)
    return tables


def _block_item(feed: Feed, sweep: str, block: str) -> TableItem:
    """Return the table of a block outside the papers: `report` beside `choose` is an equal tuning."""
    if block == EQUAL_TUNING.block and feed.sweep(EQUAL_TUNING.choose or ""):
        return replace(EQUAL_TUNING, name=f"{sweep}-{block}")
    return TableItem(f"{sweep}-{block}", "", f"{sweep}, {block}: F1", block, "")


def block_as_table(feed: Feed, item: TableItem) -> Table:
    """Return the table of a block with the cells that the database has; without rows where it lacks it."""
    sweep = feed.sweep(item.block)
    named = (item.name, item.title, item.metric, item.decimals, sweep, item.block, item.spec)
    table = Table(*named, over=item.over, choose=item.choose)
    if sweep is None:
        return table
    selection = Selection(item.metric, item.decimals, item.over, item.choose)
    cells = block_table(feed.store, sweep, item.block, selection)
    names = column_names(cells, item.over)
    settings = setting_labels(cells)
    if any(settings.values()):
        table.heads = (*table.heads, "setting")
    rows: dict[str, Row] = {}
    for name, each in zip(names, cells, strict=True):
        setting = each.setting_id
        if setting not in rows:
            labels = (_data_set(each), _eta(each.eta), settings[setting])
            rows[setting] = Row(labels[: len(table.heads)], {}, setting)
        rows[setting].cells[name] = _cell(each)
    table.columns = _ordered(names)
    table.rows = list(rows.values())
    return table


def mark_ties(table: Table, tied: Iterable[str]) -> None:
    """Mark the cells of these configurations as statistically tied with the best of their row."""
    ids = set(tied)
    for row in table.rows:
        for column, cell in row.cells.items():
            if cell.config_id in ids:
                row.cells[column] = replace(cell, tied=True)


def _printed(item: TableItem) -> tuple[list[str], list[tuple[str, ...]], int | None]:
    """Return losses, rows and number of seeds of the paper's table, none for a table of no paper."""
    with PUBLISHED.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == item.source]
    etas = {row["eta"]: float(row["eta"]) if row["eta"] else None for row in rows}
    settings = dict.fromkeys((row["dataset"], _eta(etas[row["eta"]])) for row in rows)
    seeds = next((int(row["seeds"]) for row in rows if row["seeds"]), None)
    return list(dict.fromkeys(row["loss"] for row in rows)), list(settings), seeds


def _cell(cell: TableCell) -> Cell:
    return Cell(
        mean=cell.mean,
        std=cell.std,
        n=cell.n,
        seeds_asked=cell.seeds_asked,
        rank=cell.rank,
        parameter=cell.parameter,
        value=cell.value,
        delay=cell.delay,
        chosen=_chosen(cell) if cell.n else (),
        commits=tuple(cell.commits),
        hardware=tuple(cell.hardware),
        config_id=cell.config_id,
    )


def _chosen(cell: TableCell) -> tuple[str, ...]:
    """Return the values that were chosen among several, without a chosen delay of 0."""
    best = json.loads(cell.loss_parameters)
    names = differing([json.loads(tried) for tried in cell.tried])
    delay = [f"delay={cell.delay}"] if len(cell.delays) > 1 and cell.delay else []
    return (*(f"{name}={plain(best.get(name))}" for name in names), *delay)


def _data_set(cell: TableCell) -> str:
    usual = cell.corruption in ("uniform", "human", "none")
    return cell.dataset if usual else f"{cell.dataset}, {cell.corruption}"


def _eta(eta: float | None) -> str:
    return "" if eta is None else f"{eta:g}"


def _ordered(columns: Iterable[str]) -> list[str]:
    """Return each column once: the papers' losses in their order, then the others as they came."""
    positions = {loss: position for position, loss in enumerate(LOSS_ORDER)}
    once = list(dict.fromkeys(columns))
    return sorted(once, key=lambda name: positions.get(name.split(",")[0], len(positions)))
