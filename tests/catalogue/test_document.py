"""`docs/sweeps.md` says what the catalogue holds."""

from pathlib import Path

import pytest

from noisebench.catalogue.document import TABLES, main, with_tables
from noisebench.catalogue.losses import LOSSES
from tests.trials import budgets_of_the_grid

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "sweeps.md"


def test_the_tables_are_up_to_date() -> None:
    assert main([str(PAGE), "--check"]) == 0
    assert all(f"<!-- table: {name} -->" in PAGE.read_text() for name in TABLES)


def test_a_table_out_of_date_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table: losses -->\nold\n<!-- end of table -->\nafter\n")
    assert main([str(page), "--check"]) == 1
    assert capsys.readouterr().err == (
        f"{page}: its tables are out of date; run `python -m noisebench.catalogue.document {page}`\n"
    )
    assert main([str(page)]) == 0
    assert page.read_text().startswith("before\n<!-- table: losses -->\n| name |")
    assert page.read_text().endswith("|\n<!-- end of table -->\nafter\n")
    assert main([str(page), "--check"]) == 0


def test_every_loss_has_a_row() -> None:
    text = with_tables("<!-- table: losses -->\n<!-- end of table -->")
    assert [line.split("`")[1] for line in text.splitlines()[3:-1]] == list(LOSSES)


@pytest.mark.slow
def test_the_grid_of_the_papers_is_counted_right() -> None:
    found = budgets_of_the_grid()
    section = PAGE.read_text().split("## The papers' grid")[1]
    rows = [line.strip("| ").split("|") for line in section.splitlines() if line.count("|") == 6]
    stated = {
        row[-4].strip().strip("`"): (int(row[-2].replace(",", "")), float(row[-1].replace(",", "")))
        for row in rows
        if row[-1].strip().replace(",", "").replace(".", "").isdigit()
    }
    assert set(stated) == set(found)
    for block, (trials, hours) in stated.items():
        assert trials == found[block].trials, block
        assert hours == pytest.approx(found[block].v100_seconds / 3600, abs=0.5), block


def test_the_estimated_gpu_hours_of_the_grid_are_stated_right() -> None:
    total = budgets_of_the_grid()["total"]
    for gpu, seconds in total.unmeasured_seconds.items():
        hours = " | ".join(f"{seconds[precision] / 3600:,.0f}" for precision in ("reference", "fast"))
        assert f"| {gpu} | {hours} |" in PAGE.read_text()


def test_every_sweep_that_is_shipped_is_named() -> None:
    text = PAGE.read_text()
    assert [path.stem for path in (ROOT / "sweeps").glob("*.yaml") if f"`{path.stem}`" not in text] == []
