"""`noisebench calibrate`, then `plan` with what it measured."""

import json
from pathlib import Path

import pytest

from noisebench.records import provenance
from noisebench.sweep.calibration import FILE
from tests.command import noisebench_here
from tests.trials import sweep_text


@pytest.mark.slow
def test_plan_shows_hours_on_the_device_that_was_measured(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(sweep_text())
    done = noisebench_here(
        "calibrate", "sweep.yaml", "--no-gpu", "--seconds", "0.1", "--json", results=tmp_path, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (measured,) = json.loads(done.stdout)
    assert (measured["device"], measured["model"]) == (provenance.versions()["cpu"], "small-cnn")
    assert json.loads((tmp_path / FILE).read_text()) == [measured]
    plan = noisebench_here("plan", "sweep.yaml", "--json", results=tmp_path, cwd=tmp_path)
    total = json.loads(plan.stdout)["blocks"][-1]
    # 400 digits in two folds, two epochs.
    seconds = 800 / measured["training"] + 400 / measured["evaluation"] + 1
    assert abs(total["measured_hours"][measured["device"]] * 3600 - seconds) < 1e-6


def test_an_unknown_model_is_no_sweep_either(tmp_path: Path) -> None:
    done = noisebench_here("calibrate", "resnet-50", results=tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert "resnet-50" in done.stderr
    assert "Traceback" not in done.stderr
