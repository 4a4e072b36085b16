"""`noisebench calibrate`, then `plan` with what it measured."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from noisebench.calibration.task import Task
from noisebench.errors import EnvironmentFault
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
    measured, fast = json.loads(done.stdout)
    assert (measured["device"], measured["model"]) == (provenance.versions()["cpu"], "small-cnn")
    assert [measured["precision"], fast["precision"]] == ["reference", "fast"]
    assert json.loads((tmp_path / FILE).read_text()) == [fast, measured]
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE, "sweep.yaml"], "its scratch stays"
    plan = noisebench_here("plan", "sweep.yaml", "--json", results=tmp_path, cwd=tmp_path)
    total = json.loads(plan.stdout)["blocks"][-1]
    # 400 digits in two folds, two epochs.
    seconds = 800 / measured["training"] + 400 / measured["evaluation"] + 1
    assert abs(total["measured_hours"][measured["device"]] * 3600 - seconds) < 1e-6


@pytest.mark.slow
def test_a_model_of_features_is_measured_by_its_name(tmp_path: Path) -> None:
    done = noisebench_here(
        "calibrate", "mlp", "--no-gpu", "--seconds", "0.1", "--json", results=tmp_path, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    found = [(entry["model"], entry["height"], entry["precision"]) for entry in json.loads(done.stdout)]
    assert found == [("mlp", 1, "reference"), ("mlp", 1, "fast")]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("resnet-50",), "resnet-50: neither the YAML file of a sweep nor a model; known models: small-cnn"),
        (("mlp", "--set", "seeds=3"), "--set seeds=3: replaces a value of a sweep file, and mlp is none"),
        (("sweep.yaml", "--set", "training.modle=mlp"), "modle"),
        (("missing.yaml",), "missing.yaml"),
    ],
)
def test_a_wrong_target_or_setting_is_named(tmp_path: Path, words: tuple[str, ...], shown: str) -> None:
    (tmp_path / "sweep.yaml").write_text(sweep_text())
    done = noisebench_here("calibrate", *words, results=tmp_path / "results", cwd=tmp_path)
    assert done.returncode == 2
    assert shown in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_settings_replace_values_of_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sweep.yaml").write_text(sweep_text())
    measured = []

    def refuse(task: Task, together: Sequence[int]) -> None:
        measured.append((task.training.batch_size, task.detector["folds"]))
        raise EnvironmentFault(f"{together}")

    monkeypatch.setattr("noisebench.calibration.calibrate.calibrate", refuse)
    settings = ("--set", "training.batch_size=32", "--set", "detector.folds=4")
    done = noisebench_here("calibrate", "sweep.yaml", "--no-gpu", *settings, results=tmp_path, cwd=tmp_path)
    assert (done.returncode, measured) == (3, [(32, 4)])
