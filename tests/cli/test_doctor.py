"""`noisebench doctor` on this machine: what it prints, and its exit code."""

import json
from pathlib import Path

import pytest

from tests.command import noisebench, noisebench_here
from tests.trials import sweep_text


def test_a_machine_without_problems(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(sweep_text())
    done = noisebench_here("doctor", "--spec", "sweep.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", f"{check}:"] for check in ("python", "torch", "memory", "results", "clock", "data")
    ]


def test_each_problem_is_named_with_its_fix(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(sweep_text(dataset="MNIST", training="{}"))
    done = noisebench_here("doctor", "--spec", "sweep.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 3
    (problem,) = (finding for finding in json.loads(done.stdout) if not finding["ok"])
    assert problem["check"] == "data"
    assert "--data DIR" in problem["fix"]


@pytest.mark.slow
def test_a_cluster_without_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "site.yaml").write_text(
        "site: x\ndriver: {minutes: 60}\nworkers: {minutes: 30, count: 1, partition: main}\n"
    )
    done = noisebench("doctor", "--site", "site.yaml", cwd=tmp_path)
    assert done.returncode == 3
    assert "sbatch, squeue, scancel, srun, sinfo, scontrol: command not found" in done.stdout
