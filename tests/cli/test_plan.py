"""`noisebench plan` for a cluster."""

import json
from pathlib import Path

import pytest

from noisebench.sweep.calibration import FILE, Calibration, Measured
from tests.command import noisebench_here
from tests.slurm.test_gpu_sharing import POOLS
from tests.trials import sweep_text

FOLDS = "{name: confident-learning, folds: 5}"


@pytest.mark.slow
def test_plan_for_a_cluster_counts_with_what_was_measured_on_its_gpus(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(sweep_text(dataset="MNIST", training="{}", detector=FOLDS))
    (tmp_path / "site.yaml").write_text(POOLS)
    slow, fast = (
        Measured(f"NVIDIA A100-{size}", True, "small-cnn", 28, "reference", rate, 1e9, 900.0, together)
        for size, rate, together in (("SXM4-40GB", 1e5, 2), ("SXM4-80GB", 2e5, 4))
    )
    (tmp_path / FILE).write_text(Calibration((slow, fast)).as_json())
    words = ("plan", "sweep.yaml", "--site", "site.yaml")
    plan = json.loads(noisebench_here(*words, "--json", results=tmp_path, cwd=tmp_path).stdout)
    total, (v100, a100) = plan["blocks"][-1], plan["site"]["pools"]
    assert (v100["kind"], v100["measured_on"], v100["trials_on_a_gpu"]) == ("v100", None, {"small-cnn": 1})
    assert (a100["kind"], a100["measured_on"]) == ("a100", slow.device)
    assert (a100["measured_trials_on_a_gpu"], a100["trials_on_a_gpu"]) == ({"small-cnn": 2},) * 2
    trained, evaluated = 5 * 48_000 * 10, 60_000 + 5 * 10_000
    on_an_a100 = (trained / 1e5 + evaluated / 1e9 + 1) / 3600
    expected = 1 / (8 / total["v100_hours"] + 8 / on_an_a100)
    assert plan["site"]["wall_hours"] == pytest.approx(expected)
    shown = noisebench_here(*words, results=tmp_path, cwd=tmp_path).stdout
    assert "v100: not measured (see `calibrate`), counted as V100s by published minutes" in shown
    assert "a100: measured on NVIDIA A100-SXM4-40GB with 2 x small-cnn on a GPU\n" in shown
    (tmp_path / "site.yaml").write_text(f"{POOLS}trials_per_gpu: {{small-cnn: 3}}\n")
    shown = noisebench_here(*words, results=tmp_path, cwd=tmp_path).stdout
    assert "with 2 x small-cnn on a GPU; here 3 x small-cnn, not measured\n" in shown
