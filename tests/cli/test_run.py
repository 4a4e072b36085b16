"""What the command line makes of its options."""

import json
from dataclasses import asdict
from pathlib import Path

from noisebench.cli.run import _by_model
from noisebench.sweep.calibration import FILE, Measured
from tests.trials import sweep_of


def test_trials_per_gpu_are_as_given_or_as_calibrated_for_each_model_of_the_sweep(tmp_path: Path) -> None:
    assert _by_model(None, sweep_of(), tmp_path) == {}
    measured = Measured("NVIDIA H200", True, "small-cnn", 8, "reference", 1e5, 3e5, 900.0, 4)
    (tmp_path / FILE).write_text(json.dumps([asdict(measured)]))
    assert _by_model(None, sweep_of(), tmp_path) == {"small-cnn": 4}
    assert _by_model(2, sweep_of(), tmp_path) == {"small-cnn": 2}
