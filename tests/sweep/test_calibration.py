"""What was measured of devices, and what it says of sweeps."""

from dataclasses import replace
from pathlib import Path

import pytest

from noisebench.errors import InputError
from noisebench.sweep.calibration import FILE, Calibration, Measured
from noisebench.sweep.cost import OVERHEAD_SECONDS, budgets
from tests.trials import sweep_of, trial_of

H200 = Measured("NVIDIA H200", True, "small-cnn", 8, "reference", 1e5, 3e5, 900.0, 4)
CPU = Measured("AMD EPYC", False, "small-cnn", 8, "reference", 1e4, 3e4, 300.0, 1)
SWEEP = sweep_of("[CE, GCE]", seeds="2")


def test_the_file_keeps_everything_newer_figures_win(tmp_path: Path) -> None:
    assert Calibration.read(tmp_path) == Calibration()
    faster = replace(H200, training=2e5)
    kept = Calibration().with_newer([H200, CPU]).with_newer([faster])
    assert kept.measured == (CPU, faster)
    (tmp_path / FILE).write_text(kept.as_json())
    assert Calibration.read(tmp_path) == kept


@pytest.mark.parametrize("text", ["[", '[{"device": "x"}]', "3"])
def test_a_damaged_file_is_one_clear_error(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=r"calibration.json: damaged .*; remove it, `noisebench calibrate`"):
        Calibration.read(tmp_path)


def test_hours_come_from_what_was_measured() -> None:
    measured = Calibration((H200, CPU)).seconds_by_device(SWEEP.trials())
    assert set(measured) == {"NVIDIA H200", "AMD EPYC"}
    # 400 digits in 2 folds for 2 epochs: each fold trains on half of them; no test part.
    expected = 400 * 2 / 1e5 + 400 / 3e5 + OVERHEAD_SECONDS
    assert measured["NVIDIA H200"](trial_of()) == pytest.approx(expected)
    total = budgets(SWEEP, set(), measured)[-1]
    assert total.measured_seconds["NVIDIA H200"] == pytest.approx(4 * expected)
    assert total.header()[-2:] == ("NVIDIA H200 hours", "AMD EPYC hours")
    assert len(total.row()) == len(total.header())
    assert total.as_dict()["measured_hours"]["NVIDIA H200"] == pytest.approx(4 * expected / 3600)


def test_a_device_counts_where_every_model_was_measured_at_its_precision() -> None:
    both = sweep_of(training="{precision: [reference, fast]}")
    assert not Calibration((H200,)).seconds_by_device(both.trials())
    fast = replace(H200, precision="fast", together=2)
    assert set(Calibration((H200, fast)).seconds_by_device(both.trials())) == {"NVIDIA H200"}


def test_each_model_shares_a_gpu_as_it_was_measured() -> None:
    both = sweep_of(training="{precision: [reference, fast]}")
    fast, other = replace(H200, precision="fast", together=2), replace(H200, model="resnet-32", together=3)
    assert Calibration((H200, fast)).trials_per_gpu(both.trials()) == {"small-cnn": 2}
    assert Calibration((H200,)).trials_per_gpu(both.trials()) == {}
    assert Calibration((H200, CPU)).trials_per_gpu(SWEEP.trials()) == {"small-cnn": 4}
    assert Calibration((CPU,)).trials_per_gpu(SWEEP.trials()) == {}
    models = sweep_of(training="{model: [small-cnn, resnet-32, resnet-34]}")
    assert Calibration((H200, other)).trials_per_gpu(models.trials()) == {"small-cnn": 4, "resnet-32": 3}
