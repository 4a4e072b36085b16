"""The papers' tables from the synthetic database, whole files against golden ones."""

import csv
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.building import paper_table
from analysis.feeding import Feed
from analysis.formats import FORMATS, latex
from analysis.items import PUBLISHED, TABLES, TableItem
from analysis.tables import main
from noisebench.records.folders import ResultsFolder
from tests.store.results_folder import Folder

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize("ending", ["md", "tex"])
@pytest.mark.parametrize("item", TABLES, ids=lambda item: item.name)
def test_a_table_is_the_golden_one(source: Feed, item: TableItem, ending: str) -> None:
    expected = (GOLDEN / f"{item.name}.{ending}").read_text(encoding="utf-8")
    assert FORMATS[ending](paper_table(source, item)) == expected


@pytest.mark.parametrize("item", TABLES, ids=lambda item: item.name)
def test_a_table_prints_the_published_digits(source: Feed, item: TableItem) -> None:
    """From the published file itself, so that a golden file can't keep a mistake."""
    table = paper_table(source, item)
    cells = {(*row.labels, column): cell for row, column, cell in table.cells()}
    with PUBLISHED.open() as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == item.source]
    assert len(cells) == len(rows)
    for row in rows:
        eta = f"{float(row['eta']):g}" if row["eta"] else ""
        cell = cells[row["dataset"], eta, row["loss"]]
        assert f"{cell.mean:.{row['decimals']}f}" == row["mean"]
        if row["std"]:
            assert f"{cell.std:.{row['decimals']}f}" == row["std"]
        if row["loss"] in ("BL", "PZ"):
            assert (cell.value, cell.delay) == (float(row["value"]), int(row["delay"]))


@pytest.mark.slow
def test_the_command_writes_every_table_in_every_format(paper: ResultsFolder, tmp_path: Path) -> None:
    assert main(["--results", str(paper.root), "--out", str(tmp_path), "--tied"]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"{item.name}.{ending}" for item in TABLES for ending in FORMATS} <= names
    assert "≈" in (tmp_path / "table1.md").read_text()
    contrasts = (tmp_path / "table1-contrasts.md").read_text().splitlines()
    assert len(contrasts) == 4 + 16 * 6
    with (tmp_path / "table1.csv").open() as file:
        first = next(csv.DictReader(file))
    assert (first["loss"], first["n"], first["commits"]) == ("CE", "20", "synthetic")


def test_without_results_every_printed_cell_is_missing(folder: Folder, tmp_path: Path) -> None:
    folder.root.mkdir()
    assert main(["--results", str(folder.root), "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "table5.md").read_text()
    assert "| CIFAR-100 | 0.4 | – | – | – |" in text
    assert "12 cells are missing (–): noisebench run sweeps/paper-table5.yaml makes them." in text


@pytest.mark.slow
def test_latex_compiles(source: Feed, tool: Callable[[str, str], str], tmp_path: Path) -> None:
    compiler = tool("pdflatex", "texlive-latex-recommended")
    tables = "\n".join(latex(paper_table(source, item)) for item in TABLES)
    (tmp_path / "tables.tex").write_text(
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{booktabs,graphicx}\n"
        f"\\begin{{document}}\n{tables}\\end{{document}}\n"
    )
    command = [compiler, "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "tables.pdf").stat().st_size > 10_000
