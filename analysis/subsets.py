"""Means measured on parts of data sets (subset-means.csv) beside the published numbers for the whole.

Their records were not kept: only means and deviations are known.
"""

import csv
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

SUBSET_MEANS = Path(__file__).with_name("subset-means.csv")
# The published source of each metric for confident learning with uniform corruption.
SOURCES = {"f1": "table1", "balanced_accuracy": "table2"}
HEADS = {"f1": "F1", "balanced_accuracy": "balanced accuracy", "clean_test_accuracy": "test accuracy"}
# Shown where they differ within a block.
SETTINGS = ("learning_rate", "input_scale", "batch_size", "epochs")

Row = dict[str, str]


def read(path: Path) -> list[Row]:
    """Return the rows of a CSV file, every value as text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def render(measured: Sequence[Row], published: Sequence[Row]) -> str:
    """Return a table for each (sweep, block) of `measured`, in its order, with its commit and command."""
    parts = []
    for (source, block), group in itertools.groupby(measured, lambda row: (row["source"], row["block"])):
        rows = list(group)
        commits, hardware = (
            ", ".join(dict.fromkeys(row[name] for row in rows)) for name in ("commit", "hardware")
        )
        origin = f"`{rows[0]['command']}`, commit {commits}, {hardware}."
        parts.append(f"### {source}: {block}\n\n{origin}\n\n{_table(rows, published)}")
    return "\n".join(parts)


def _table(rows: Sequence[Row], published: Sequence[Row]) -> str:
    settings = [name for name in SETTINGS if len({row[name] for row in rows}) > 1]
    metrics = [metric for metric in HEADS if any(row["metric"] == metric for row in rows)]
    compared = [metric for metric in metrics if any(_printed(row, published) for row in _of(rows, metric))]
    heads = ["data", "rate", "loss", *[name.replace("_", " ") for name in settings]]
    for metric in metrics:
        heads += [HEADS[metric], *(["published"] if metric in compared else [])]
    lines = [heads, ["---"] * len(heads)]
    for _, cells in itertools.groupby(rows, lambda row: row["config_id"]):
        by_metric = {row["metric"]: row for row in cells}
        any_row = next(iter(by_metric.values()))
        line = [any_row["dataset"], any_row["eta"], _loss(any_row), *(any_row[name] for name in settings)]
        for metric in metrics:
            row = by_metric.get(metric)
            line.append(_cell(row) if row else "")
            if metric in compared:
                line.append(_printed(row, published) if row else "")
        lines.append(line)
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _of(rows: Iterable[Row], metric: str) -> list[Row]:
    return [row for row in rows if row["metric"] == metric]


def _loss(row: Row) -> str:
    variant = "" if row["variant"] == "{}" else " " + row["variant"].strip("{}").replace('"', "")
    delay = f", delay {row['delay']}" if row["delay"] not in ("0", "") and row["loss"] != "PZ" else ""
    return f"{row['loss']} {_short(row['value'])}".rstrip() + variant + delay


def _cell(row: Row) -> str:
    mean = f"{float(row['mean']):.3f}"
    return f"{mean} ± {float(row['std']):.3f}" if row["std"] else mean


def _printed(row: Row, published: Sequence[Row]) -> str:
    """Return the published mean ± deviation for a row, with the parameter that it belongs to, or nothing."""
    wanted = {
        "source": SOURCES.get(row["metric"]),
        "dataset": row["dataset"].partition(":")[0],
        "corruption": row["corruption"],
        "eta": row["eta"],
        "detector": row["detector"],
        "loss": row["loss"],
    }
    for other in published:
        if row["variant"] == "{}" and all(other[name] == value for name, value in wanted.items()):
            differs = _short(other["value"]) != _short(row["value"])
            return _cell(other) + (f" ({_short(other['value'])})" if differs else "")
    return ""


def _short(number: str) -> str:
    return f"{float(number):g}" if number else ""
