"""Tables on a terminal: marks, missing cells, narrow terminals."""

import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from noisebench.cli import table
from noisebench.store.blocks import TableCell


def cell(loss: str, mean: float | None = 0.9, **changes: Any) -> TableCell:
    usual: dict[str, Any] = {
        "block": "grid",
        "setting_id": "a",
        "config": "{}",
        "variant": "{}",
        "config_id": None,
        "delays": [0],
        "commits": [],
        "hardware": [],
        "dataset": "digits",
        "corruption": "uniform",
        "eta": 0.2,
        "detector": "aum",
        "loss": loss,
        "loss_parameters": '{"form": "detached"}' if loss == "BL" else "{}",
        "delay": 0,
        "parameter": None,
        "value": None,
        "tried": [],
        "mean": mean,
        "std": 0.012 if mean else None,
        "n": 3 if mean else 0,
        "seeds_asked": 3,
        "rank": None,
    }
    return TableCell(**{**usual, **changes})


CELLS = [
    cell("CE", 0.95, rank=2),
    cell("BL", 0.96, rank=1, parameter="gamma", value=0.4, tried=["{}"] * 9),
    cell("BL", 0.80, loss_parameters='{"gamma": 0.4, "form": "printed"}', parameter="gamma", value=0.4),
    cell("PZ", 0.91, delay=1, n=2),
    cell("PZ", 0.90, delay=0),
    cell("FL", None),
]


def test_marks_parameters_and_missing_cells(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_tables(CELLS)
    title, *_, header, _, row, _ = capsys.readouterr().out.splitlines()
    assert title == "grid: digits, uniform 0.2, aum, 3 seeds; F1, mean ± std, ¹ best, ² second best"
    assert [name.strip() for name in header.strip("┃").split("┃")] == [
        "noise",
        "CE",
        "BL, form detached",
        "BL, form printed",
        "PZ, delay 1",
        "PZ, delay 0",
        "FL",
    ]
    assert [text.strip() for text in row.strip("│").split("│")] == [
        "uniform 0.2",
        "0.950 ± 0.012²",
        "0.960 ± 0.012¹ (gamma 0.4)",
        "0.800 ± 0.012",
        "0.910 ± 0.012 n=2",
        "0.900 ± 0.012",
        "–",
    ]


def test_the_title_names_the_metric(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_tables(CELLS, "average precision")
    title = capsys.readouterr().out.splitlines()[0]
    assert title.endswith("3 seeds; average precision, mean ± std, ¹ best, ² second best")


def test_a_narrow_terminal_stacks_the_cells_and_loses_nothing() -> None:
    console = Console(width=100, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(table._table(CELLS, "\n"))
    text = captured.get()
    assert max(len(line) for line in text.splitlines()) <= 100
    for part in ("0.960", "± 0.012¹", "(gamma 0.4)", "n=2"):
        assert part in text


def test_names_cannot_be_markup_or_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [cell("[/x]"), cell("m:[red]"), cell("\x1b[31mCE")]
    table.print_tables([replace(each, block="[/x] \x1b[31m") for each in cells])
    text = capsys.readouterr().out
    for name in ("[/x]", "m:[red]", "\\x1b[31mCE"):
        assert name in text
    assert "\x1b" not in text


def test_settings_that_differ_in_training_alone_have_rows_of_their_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rates = {"a": 0.1, "b": 0.01}
    configs = {name: json.dumps({"training": {"learning_rate": rate}}) for name, rate in rates.items()}
    cells = [
        cell("CE", mean, setting_id=name, config=configs[name]) for name, mean in (("a", 0.5), ("b", 0.7))
    ]
    table.print_tables(cells)
    _, _, header, _, *rows, _ = capsys.readouterr().out.splitlines()
    assert [name.strip() for name in header.strip("┃").split("┃")] == ["setting", "CE"]
    assert [[text.strip() for text in row.strip("│").split("│")] for row in rows] == [
        ["learning_rate 0.1", "0.500 ± 0.012"],
        ["learning_rate 0.01", "0.700 ± 0.012"],
    ]
