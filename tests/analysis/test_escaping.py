"""Texts of results that try to be code, in every format the analysis writes."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.escaping import file_name, markdown_text, tex, tex_label
from analysis.formats import FORMATS, TEMPLATES, latex
from analysis.grid import Cell, Row, Table
from analysis.sections import failures
from analysis.tables import main
from noisebench.html import render
from noisebench.store.summaries import Doubt, SweepFailure
from tests.analysis.test_building import complete
from tests.store.results_folder import Folder, trial

SCRIPT = "<script>document.title = 'PWNED'</script>"
WRITE = r"\write18{touch pwned}"
NAMES = (SCRIPT, WRITE, "a/b", "../../up", "a|b\n| c |", r"50% & #1 {x} $y$ ~ ^^5c _", "é – ≈ 語", "x" * 400)


def hostile_table(name: str) -> Table:
    """Return a table with the text in every place that shows one."""
    cell = Cell(
        0.5, 0.1, 2, 2, 1, "form", None, 0, (f"form={name}", f"gamma={name}"), (name,), (name,), "abc"
    )
    return Table(
        name, name, "f1", 3, name, name, name, ("data set", name), [name], [Row((name, name), {name: cell})]
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_format_keeps_the_text_inert(name: str) -> None:
    table = hostile_table(name)
    rendered = {ending: write(table) for ending, write in FORMATS.items()}
    assert "<script" not in rendered["html"]
    assert "<script" not in rendered["md"]
    assert WRITE not in rendered["tex"]
    rows = [line for line in rendered["md"].splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert {line.replace(r"\|", "").count("|") for line in rows} == {4}


def test_latex_with_shell_escape_runs_nothing(tool: Callable[[str, str], str], tmp_path: Path) -> None:
    """Every hostile text compiles, and `\\write18` writes no file although the compiler permits it."""
    compiler = tool("pdflatex", "texlive-latex-recommended")
    tables = "\n".join(latex(hostile_table(name)) for name in NAMES)
    (tmp_path / "tables.tex").write_text(
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{booktabs,graphicx}\n"
        f"\\begin{{document}}\n{tables}\\end{{document}}\n",
        encoding="utf-8",
    )
    command = [compiler, "-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not (tmp_path / "pwned").exists()


def test_latex_prints_special_characters() -> None:
    assert tex(r"\a{b}_%&#$~^<>") == (
        r"\textbackslash{}a\{b\}\_\%\&\#\$\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}"
    )
    assert tex("0.5 ± 0.1 – ≈ é 語\n") == r"0.5 $\pm$ 0.1 -- $\approx$ é ? "
    assert tex_label(r"paper-a/b\x") == "paper-a-b-x"


def test_markdown_text_ends_no_cell() -> None:
    assert markdown_text("a | b\n<i>") == r"a \| b &lt;i&gt;"


def test_file_names_stay_in_their_folder_and_differ() -> None:
    assert file_name("paper-table1") == "paper-table1"
    assert file_name("../up") == "%2E.%2Fup"
    assert file_name("a/b") != file_name("a%2Fb")
    long = file_name("x" * 400)
    assert len(long) < 200
    assert long != file_name("x" * 399)


@pytest.mark.slow
def test_tables_of_a_block_named_like_a_path_stay_in_the_folder(folder: Folder, tmp_path: Path) -> None:
    names = ("a/b", "/../../up", "c" * 300)
    folder.manifest({name: [trial()] for name in names}, seeds_asked=1)
    complete(folder, (trial(), {"f1": 0.5}))
    out = tmp_path / "deep" / "er" / "out"
    assert main(["--results", str(folder.root), "--out", str(out), "--tied"]) == 0
    assert (out / "paper-a%2Fb.md").is_file()
    assert {path.parent for path in tmp_path.rglob("*.tex")} == {out}
    assert len([path for path in out.iterdir() if path.name.startswith("paper-")]) == 5 * len(names)


def test_failures_show_scripts_as_text() -> None:
    group = SweepFailure(SCRIPT, SCRIPT, SCRIPT, trials=1, example=SCRIPT, traceback=SCRIPT)
    doubt = Doubt(SCRIPT, times=1, example=SCRIPT)
    text = render(TEMPLATES / "failures.html", failures=failures([group], [doubt]))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 7
