"""What measures a GPU needs torch, torchvision and numpy alone; every line of it runs on a CPU too."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.gpu import Bench

ROOT = Path(__file__).parents[2]
# All that noisebench depends on but torch, torchvision (with PIL) and numpy.
ABSENT = """
ray submitit cleanlab aum sklearn pandas pyarrow duckdb yaml typer rich click pydantic matplotlib scipy
"""
BARE = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({ABSENT.split()}))  # None stands for a module that cannot be imported
sys.argv = ["gpu.py", *sys.argv[1:]]
runpy.run_path("benchmarks/gpu.py", run_name="__main__")
"""


def rows(*arguments: str) -> list[dict[str, str]]:
    done = subprocess.run(
        [sys.executable, "-c", BARE, *arguments, "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_row_runs_on_a_cpu_without_the_other_packages(tmp_path: Path) -> None:
    found = rows("--device", "cpu", "--tiny", "--out", str(tmp_path / "folds.npz"))
    assert [row["number"] for row in found] == ["=", "=", "2", "2", "3", "4", "4", "10"]
    assert {row["verdict"] for row in found} == {"not measured"}
    arrays = np.load(tmp_path / "folds.npz")
    assert arrays["probabilities"].shape == (len(arrays["given"]), 10)
    assert np.allclose(arrays["probabilities"].sum(1), 1, atol=1e-5)


def test_a_row_that_breaks_off_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> float:
        raise RuntimeError("no such kernel\nand much more")

    monkeypatch.setattr(Bench, "matrix_rate", unsupported)
    found = list(Bench(torch.device("cpu"), None, None, tiny=True).rows())
    assert [row.number for row in found] == ["=", "=", "2", "2", "3", "4", "4", "10"]
    assert [row.figures for row in found if row.verdict == "failed"] == ["RuntimeError: no such kernel"]
    assert (found[-1].verdict, found[-1].figures) == ("not measured", "no rate of resnet-34")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_its_rows_are_not_measured() -> None:
    found = rows()
    assert [(row["number"], row["verdict"]) for row in found] == [
        (number, "not measured") for number in ("2", "3", "4", "10")
    ]
