"""The GPU's rows need few packages; each runs in a process of its own, on a CPU too."""

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import gpu, gpu_rows
from benchmarks.gpu_bench import Bench, Part, Unequal
from benchmarks.gpu_rows import ROWS
from benchmarks.grid import GRID, hours
from benchmarks.row import Row, at_least

ROOT = Path(__file__).parents[2]
# A machine that is lent for an hour has neither these nor the time to install them.
ABSENT = "ray submitit cleanlab aum duckdb yaml matplotlib click pydantic"
# None stands for a module that cannot be imported; the folder of this file comes first for all children.
BLOCK = f"import sys\nsys.modules.update(dict.fromkeys({ABSENT.split()}))\n"


def rows(folder: Path, *arguments: str) -> list[dict[str, str]]:
    (folder / "sitecustomize.py").write_text(BLOCK)
    done = subprocess.run(
        [sys.executable, "benchmarks/gpu.py", *arguments, "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_rows_run_on_a_cpu_without_the_other_packages(tmp_path: Path) -> None:
    out, folds = tmp_path / "rows.jsonl", tmp_path / "folds.npz"
    options = ("--device", "cpu", "--tiny", "--out", str(out), "--probabilities", str(folds))
    found = rows(tmp_path, *options, "--only", "trial", "grouped-small-cnn", "grid")
    assert [row["number"] for row in found] == ["2", "4", "10"]
    assert {row["verdict"] for row in found} == {"not measured"}
    assert "no cleanlab here" in found[0]["figures"]
    assert found[2]["figures"] == "no rate of resnet-32, resnet-34"
    assert [json.loads(line)["what"] for line in out.read_text().splitlines()] == [
        row["what"] for row in found
    ]
    arrays = np.load(folds)
    assert arrays["probabilities"].shape == (len(arrays["given"]), 10)
    assert np.allclose(arrays["probabilities"].sum(1), 1, atol=1e-5)


QUICK = ("device", "repeated")
# The compiler of torch warns of its own doings: of what is deprecated, and of gradients that it looks at.
COMPILER = pytest.mark.filterwarnings("ignore")


def marks_of(name: str) -> list[pytest.MarkDecorator]:
    slow = [] if name in QUICK else [pytest.mark.slow]
    return [*slow, COMPILER] if "compiled" in name else slow


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=marks_of(name)) for name in ROWS if name != "trial"],
)
def test_every_row_runs_on_a_cpu(name: str) -> None:
    bench = Bench(torch.device("cpu"), None, tiny=True)
    rows = list(ROWS[name].measure(bench))
    assert {row.number for row in rows} == {ROWS[name].number}
    assert all(row.figures for row in rows)
    # Those without arithmetic in other types or orders hold on a CPU too.
    if name in (*QUICK, "another-process", "equality-branches"):
        assert {row.verdict for row in rows} == {"ok"}


def broken(_: Bench) -> Iterator[Row]:
    yield at_least("3", "the first half", "1", 1, 1)
    raise RuntimeError("no such kernel\nand more")


def options_of(**changes: object) -> Namespace:
    names = {"device": "cpu", "data": None, "probabilities": None, "tiny": True, "limit": None, "total": 60.0}
    return Namespace(**{**names, "only": ["small-cnn"], **changes})


def child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> None:
    """Let the process of a row run `code` instead."""
    script = tmp_path / "row.py"
    script.write_text(code)
    monkeypatch.setattr(gpu, "__file__", str(script))


def test_a_row_that_dies_keeps_its_lines_and_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row = {"number": "2", "what": "half", "figures": "1", "ratio": "", "bar": "", "verdict": "ok"}
    child(monkeypatch, tmp_path, f"import os\nprint('''{json.dumps(row)}''', flush=True)\nos._exit(139)")
    first, second = gpu.rows(options_of())
    assert first.what == "half"
    assert (second.verdict, second.figures) == ("failed", "its process ended with code 139")


@pytest.mark.slow
def test_a_row_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    child(monkeypatch, tmp_path, "import time\ntime.sleep(600)")
    (row,) = gpu.rows(options_of(limit=1.0))
    assert (row.verdict, row.figures) == ("failed", "not done within 1 s")


@pytest.mark.slow
def test_all_rows_together_keep_within_their_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    child(monkeypatch, tmp_path, "import time\ntime.sleep(600)")
    monkeypatch.setattr(gpu, "LEAST_SECONDS", 0.5)
    first, second, third = gpu.rows(options_of(total=1.0, only=["small-cnn", "trial", "aum"]))
    assert (first.verdict, first.figures) == ("failed", "not done within 1 s")
    for row, name in ((second, "trial"), (third, "aum")):
        assert (row.verdict, row.what, row.figures) == ("not measured", name, "no time left of 1 s")


def test_the_grid_is_projected_from_the_fastest_modes_that_are_equal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The equality row may come after the rate."""
    rates = [
        {"model": model, "training": rate, "evaluation": rate, "modes": modes}
        for modes, rate in (("fp32", 1e4), ("bf16 graph", 1e5), ("bf16 graph branches", 1e6))
        for model in GRID
    ]
    lines = [*rates, {"model": "resnet-34", "unequal_modes": "bf16 graph branches"}]
    text = "\n".join(map(json.dumps, lines))
    child(monkeypatch, tmp_path, f"print('''{text}''')")
    (row,) = gpu.rows(options_of(only=["small-cnn", "grid"]))
    equal = {model: 1e5 if model == "resnet-34" else 1e6 for model in GRID}
    assert row.ratio == f"{hours(equal, equal):.2f} h"
    assert "resnet-34 bf16 graph, small-cnn bf16 graph branches" in row.figures


@pytest.mark.slow
def test_modes_that_differ_too_much_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.gpu_checks.share_allowed", lambda *_: -1.0)
    found: list[object] = []
    bench = Bench(torch.device("cpu"), None, tiny=True, report=found.append)
    rows = list(ROWS["equality-branches"].measure(bench))
    assert {row.verdict for row in rows} == {"short"}
    assert found == [Unequal(model, "fp32 branches") for model in bench.models]


def test_a_short_loan_suffices_for_all_that_matters() -> None:
    names = list(ROWS)
    needed = names[: names.index("aum") + 1]
    assert all(f in needed for f in ("device", "repeated", "errors", "small-cnn", "trial", "resnet-34"))
    assert max(part.seconds for part in ROWS.values()) < 570


def test_a_row_that_raises_prints_what_it_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(gpu_rows.ROWS, "small-cnn", Part("3", broken, 10))
    with pytest.raises(RuntimeError):
        gpu.measure_here("small-cnn", options_of())
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["what"] == "the first half"
    assert (second["verdict"], second["figures"]) == ("failed", "RuntimeError: no such kernel")


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_its_rows_are_not_measured(tmp_path: Path) -> None:
    found = rows(tmp_path)
    assert [(row["number"], row["verdict"]) for row in found] == [
        (number, "not measured") for number in ("2", "3", "4", "10")
    ]
