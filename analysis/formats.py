"""How a table is written: Markdown, LaTeX, HTML, CSV."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analysis.escaping import markdown_text, tex, tex_label
from analysis.grid import Cell, Table
from noisebench.html import render

TEMPLATES = Path(__file__).with_name("templates")
MISSING = "–"
TIED = "≈"
METRIC_NAMES = {
    "f1": "F1",
    "balanced_accuracy": "balanced accuracy",
    "auroc": "AUROC",
    "average_precision": "average precision",
}
_GREEK = {"gamma": r"\gamma", "alpha": r"\alpha", "beta": r"\beta"}


def markdown(table: Table) -> str:
    """Return the table as GitHub Markdown; best bold and underlined, second best bold."""
    heads = [markdown_text(name) for name in (*table.heads, *table.columns)]
    lines = [f"### {markdown_text(table.title)}", "", caption(table), ""]
    lines.append("| " + " | ".join(heads) + " |")
    lines.append("|" + " --- |" * len(table.heads) + " ---: |" * len(table.columns))
    for row in table.rows:
        cells = [_markdown_cell(table, row.cells.get(column, Cell())) for column in table.columns]
        labels = [markdown_text(label) for label in row.labels]
        lines.append("| " + " | ".join([*labels, *cells]) + " |")
    return "\n".join(lines + [f"\n{note}" for note in notes(table)]) + "\n"


def latex(table: Table) -> str:
    """Return the table as a LaTeX table environment; needs packages booktabs and graphicx."""
    columns = "l" * len(table.heads) + "c" * len(table.columns)
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{tex(table.title)}. {tex(caption(table))}}}"]
    lines += [
        rf"\label{{tab:{tex_label(table.name)}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{{columns}}}",
    ]
    lines += [
        r"\toprule",
        _latex_row([_tex_head(name) for name in (*table.heads, *table.columns)]),
        r"\midrule",
    ]
    for number, row in enumerate(table.rows):
        if number and row.labels[0] != table.rows[number - 1].labels[0]:
            lines.append(r"\midrule")
        cells = [_latex_cell(table, row.cells.get(column, Cell())) for column in table.columns]
        lines.append(_latex_row([tex(label) for label in row.labels] + cells))
    lines += [r"\bottomrule", r"\end{tabular}}"]
    lines += [rf"\par\smallskip\footnotesize {tex(note)}" for note in notes(table)]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def html_table(table: Table) -> str:
    """Return the table as HTML; a cell with results carries its configuration as `data-config`."""
    return render(TEMPLATES / "table.html", table=html_values(table))


def html_values(table: Table) -> dict[str, Any]:
    """Return what the template of a table shows, as plain text."""
    rows = []
    for number, row in enumerate(table.rows):
        starts_group = number > 0 and row.labels[0] != table.rows[number - 1].labels[0]
        cells = [_html_cell(table, row.cells.get(column, Cell())) for column in table.columns]
        rows.append({"labels": row.labels, "cells": cells, "starts_group": starts_group})
    return {
        "name": table.name,
        "title": table.title,
        "block": table.block,
        "sweep": table.sweep,
        "caption": caption(table),
        "heads": [*table.heads, *table.columns],
        "rows": rows,
        "notes": notes(table),
    }


def csv_text(table: Table) -> str:
    """Return one line a cell with all its digits; a missing cell has n 0."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    known = ["parameter", "value", "delay", "mean", "std", "n", "seeds_asked", "rank", "tied"]
    writer.writerow([*table.heads, "loss", "metric", *known, "chosen", "commits", "hardware", "config_id"])
    for row, column, cell in table.cells():
        values = [getattr(cell, name) for name in known]
        origins = [" ".join(cell.chosen), " ".join(cell.commits), "; ".join(cell.hardware), cell.config_id]
        writer.writerow([*row.labels, column, table.metric, *values, *origins])
    return text.getvalue()


FORMATS: dict[str, Callable[[Table], str]] = {
    "md": markdown,
    "tex": latex,
    "html": html_table,
    "csv": csv_text,
}


def number(table: Table, cell: Cell) -> str:
    """Return "0.979 ± 0.002", without deviation for one seed, a dash for a missing cell."""
    if cell.mean is None:
        return MISSING
    std = "" if cell.std is None else f" ± {cell.std:.{table.decimals}f}"
    return f"{cell.mean:.{table.decimals}f}{std}"


def asides(table: Table, cell: Cell) -> list[str]:
    """Return the text in brackets after a number: the chosen parameters, then warnings."""
    return [*cell.chosen, *_remarks(table, cell)]


def caption(table: Table) -> str:
    """Return what the numbers are, n of every cell included."""
    metric = METRIC_NAMES.get(table.metric, table.metric)
    seeds = "no results yet" if table.seeds is None else f"n = {_seeds(table)} where no other n is given"
    return (
        f"{metric}, mean ± sample deviation over seeds; {seeds}; best bold and underlined, second best bold"
    )


def _seeds(table: Table) -> str:
    """Return "20", or "3 of the published 20" where cells have fewer seeds than the paper's."""
    printed = table.published_seeds
    fewer = printed is not None and table.seeds is not None and table.seeds < printed
    return f"{table.seeds} of the published {printed}" if fewer else str(table.seeds)


def notes(table: Table) -> list[str]:
    """Return the sentences under a table: how to make what is missing, what the marks mean."""
    sentences = []
    if table.missing:
        cells = "1 cell is" if table.missing == 1 else f"{table.missing} cells are"
        command = f"run sweeps/{table.spec}" if table.spec else f"resume {table.sweep}"
        sentences.append(f"{cells} missing ({MISSING}): noisebench {command} makes them.")
    if any(cell.tied for _, _, cell in table.cells()):
        sentences.append(f"{TIED}: tied with the best (paired t-test, Holm over the row, p > .05).")
    return sentences


def _remarks(table: Table, cell: Cell) -> list[str]:
    counted = any(warning.startswith("n=") for warning in cell.warnings)
    unusual = cell.n and cell.n != table.seeds and not counted
    return [*cell.warnings, f"n={cell.n}"] if unusual else cell.warnings


def _markdown_cell(table: Table, cell: Cell) -> str:
    text = number(table, cell)
    text = {1: f"**<u>{text}</u>**", 2: f"**{text}**"}.get(cell.rank or 0, text)
    tied = f" {TIED}" if cell.tied else ""
    inside = markdown_text(", ".join(asides(table, cell)))
    return f"{text}{tied} ({inside})" if inside else f"{text}{tied}"


def _html_cell(table: Table, cell: Cell) -> dict[str, Any]:
    return {
        "text": number(table, cell),
        "rank": cell.rank,
        "config_id": cell.config_id,
        "mean": cell.mean,
        "n": cell.n,
        "tied": TIED if cell.tied else "",
        "chosen": cell.chosen,
        "remarks": _remarks(table, cell),
    }


def _latex_cell(table: Table, cell: Cell) -> str:
    text = number(table, cell).replace("±", r"$\pm$").replace(MISSING, "--")
    text = {1: rf"\textbf{{\underline{{{text}}}}}", 2: rf"\textbf{{{text}}}"}.get(cell.rank or 0, text)
    tied = r" $\approx$" if cell.tied else ""
    inside = ", ".join(_tex_parameter(aside) for aside in asides(table, cell))
    return f"{text}{tied} ({inside})" if inside else f"{text}{tied}"


def _latex_row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _tex_head(name: str) -> str:
    return r"$\eta$" if name == "eta" else tex(name)


def _tex_parameter(aside: str) -> str:
    name, _, value = aside.partition("=")
    is_number = re.fullmatch(r"[-+.e0-9]+", value) is not None
    return f"${_GREEK[name]}={value}$" if is_number and name in _GREEK else tex(aside)
