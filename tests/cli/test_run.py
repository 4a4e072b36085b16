"""What the command line makes of its options."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from noisebench.cli.run import _by_model
from noisebench.sweep.calibration import FILE, Measured
from tests.command import noisebench_here
from tests.trials import sweep_of

SWEEP = """
sweep: small
blocks:
  rankings:
    dataset: {name: digits, samples: 100}
    corruption: {kind: uniform, rate: 0.2}
    detector: [confident-learning, self-confidence]
    loss: CE
    training: {epochs: 1}
    seeds: 1
  nothing-judged:
    dataset: {name: digits, samples: 100}
    corruption: {kind: uniform, rate: 0.2}
    detector: none
    loss: CE
    training: {epochs: 1}
    seeds: 1
"""


@pytest.mark.slow
def test_the_tables_show_f1_then_auroc_and_average_precision(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SWEEP)
    done = noisebench_here("run", "small.yaml", "--inline", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    titles = [line for line in done.stdout.splitlines() if "mean ± std" in line]
    # A block without a value by a ranking has no table of it.
    assert [(line.split(":")[0], line.split("; ")[1].split(",")[0]) for line in titles] == [
        ("rankings", "F1"),
        ("nothing-judged", "F1"),
        ("rankings", "AUROC"),
        ("rankings", "average precision"),
    ]
    again = noisebench_here("run", "small.yaml", "--inline", "--json", cwd=tmp_path)
    found = json.loads(again.stdout)
    asked = "SELECT detector, f1, auroc, average_precision FROM runs WHERE detector <> 'none'"
    rows = json.loads(noisebench_here("query", asked, "--json", cwd=tmp_path).stdout)
    recorded = {row["detector"]: row for row in rows}
    for key, metric in {"cells": "f1", "auroc": "auroc", "average_precision": "average_precision"}.items():
        means = {cell["detector"]: cell["mean"] for cell in found[key] if cell["detector"] != "none"}
        assert means == {name: row[metric] for name, row in recorded.items()}


def test_trials_per_gpu_are_as_given_or_as_calibrated_for_each_model_of_the_sweep(tmp_path: Path) -> None:
    assert _by_model(None, sweep_of(), tmp_path) == {}
    measured = Measured("NVIDIA H200", True, "small-cnn", 8, "reference", 1e5, 3e5, 900.0, 4)
    (tmp_path / FILE).write_text(json.dumps([asdict(measured)]))
    assert _by_model(None, sweep_of(), tmp_path) == {"small-cnn": 4}
    assert _by_model(2, sweep_of(), tmp_path) == {"small-cnn": 2}
