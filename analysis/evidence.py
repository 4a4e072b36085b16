"""The trials, candidates and SQL behind each cell of the report's tables, as data for its script."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from analysis.comparison import ComparedNumber
from analysis.feeding import Feed
from analysis.formats import METRIC_NAMES, asides, number
from analysis.grid import Cell, Table
from noisebench.store.blocks import BlockTrial, Candidate, block_candidates, block_configs, block_trials
from noisebench.store.columns import differing, plain
from noisebench.store.statements import SQL
from noisebench.store.summaries import metrics

Plain = dict[str, Any]

# Shown of a trial before its other metrics.
_FIRST = ("seed", "seconds", "hardware", "fast_path", "commit", "host", "ended_at")


def evidence(source: Feed, tables: Sequence[Table], compared: Sequence[ComparedNumber]) -> Plain:
    """Return metrics, configurations, trials, then for each table its cells with their SQL.

    `compared` are the rows of `analysis.comparison.compared`. All of it can be written as JSON.
    """
    blocks = dict.fromkeys((table.sweep, table.block) for table in tables if table.sweep is not None)
    trials = {block: block_trials(source.store, block[0], block[1]) for block in blocks}
    configs = [block_configs(source.store, block[0], block[1]) for block in blocks]
    every_metric = metrics(source.store)
    return {
        "metrics": {metric.name: metric.description for metric in every_metric},
        "names": METRIC_NAMES,
        "configs": {name: json.loads(text) for block in configs for name, text in block.items()},
        "trials": _trials(
            [trial for block in trials.values() for trial in block], [metric.name for metric in every_metric]
        ),
        "blocks": {"/".join(block): _by_config(each) for block, each in trials.items()},
        "tables": {
            table.name: _table(source, table, table.sweep, compared)
            for table in tables
            if table.sweep is not None
        },
    }


def _trials(trials: Sequence[BlockTrial], names: Sequence[str]) -> Plain:
    """Return {columns, rows: values by trial_id}, without columns that are empty in every trial."""
    columns = [
        name
        for name in dict.fromkeys((*_FIRST, *names))
        if any(getattr(trial, name) is not None for trial in trials)
    ]
    rows = {trial.trial_id: [_short(getattr(trial, name)) for name in columns] for trial in trials}
    return {"columns": columns, "rows": rows}


def _short(value: Any) -> Any:
    """Return a value for JSON, rounded to seven digits: more only make the page larger."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    return value if isinstance(value, int | str | None) else value.isoformat(" ", "seconds")


def _by_config(trials: Sequence[BlockTrial]) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = defaultdict(list)
    for trial in trials:
        ids[trial.config_id].append(trial.trial_id)
    return ids


def _table(source: Feed, table: Table, sweep: str, compared: Sequence[ComparedNumber]) -> Plain:
    block: dict[str, str | int] = {"sweep": sweep, "block": table.block}
    chosen_by = table.choose or table.block
    question: dict[str, str | int] = {"metric": table.metric, "decimals": table.decimals, "over": table.over}
    tried = _candidates(source, table, sweep, chosen_by)
    return {
        "title": table.title,
        "metric": table.metric,
        "decimals": table.decimals,
        "block": f"{sweep}/{table.block}",
        "chosen_by": chosen_by,
        "sql": SQL.filled("blocks/table", {**block, **question, "choose": chosen_by}),
        "cell_sql": SQL.filled("blocks/cell", {**block, "metric": table.metric}),
        "trials_sql": SQL.filled("blocks/cell_trials", block),
        "cells": {
            cell.config_id: {
                "row": [
                    f"η = {label}" if head == "eta" else label
                    for head, label in zip(table.heads, row.labels, strict=True)
                    if label
                ],
                "column": column,
                "text": number(table, cell),
                "asides": asides(table, cell),
                "published": _published(table, row.labels, column, compared),
                "tried": tried.get(cell.config_id, []),
            }
            for row, column, cell in table.cells()
            if cell.config_id is not None
        },
    }


def _candidates(source: Feed, table: Table, sweep: str, block: str) -> dict[str, list[Plain]]:
    """Return by configuration the candidates of its cell, nothing where there was no choice."""
    groups: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for row in block_candidates(source.store, sweep, block, table.metric, table.over):
        groups[row.setting_id, row.column_id].append(row)
    candidates: dict[str, list[Plain]] = {}
    for group in groups.values():
        variants = [{**json.loads(row.loss_parameters), "delay": row.delay} for row in group]
        names = differing(variants)
        tried = [
            {
                "label": ", ".join(f"{name} {plain(variant.get(name))}" for name in names),
                "config": row.config_id,
                "mean": _short(row.mean),
                "std": _short(row.std),
                "n": row.n,
            }
            for row, variant in zip(group, variants, strict=True)
        ]
        candidates |= {row.config_id: tried for row in group if len(group) > 1}
    return candidates


def _published(
    table: Table, labels: Sequence[str], loss: str, compared: Sequence[ComparedNumber]
) -> Plain | None:
    """Return the number that the paper prints in this cell with its verdict, None where it prints none."""
    for row in compared:
        eta = "" if row.eta is None else f"{row.eta:g}"
        if (row.source, row.dataset, eta, row.loss) == (table.name, *labels[:2], loss):
            std = row.published_std
            text = number(table, Cell(mean=row.published_mean, std=std))
            at = "" if row.value is None else f"{row.parameter} {row.value:g}"
            return {"text": text, "at": at, "verdict": row.best_verdict or row.verdict}
    return None
