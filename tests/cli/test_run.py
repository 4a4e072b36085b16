"""What the command line makes of its options."""

import json
from dataclasses import asdict
from pathlib import Path

from noisebench.catalogue.models import MODELS
from noisebench.cli.run import _by_model
from noisebench.sweep.calibration import FILE, Measured
from tests.trials import sweep_of


def test_trials_per_gpu_are_those_of_every_model_or_as_calibrated(tmp_path: Path) -> None:
    assert _by_model(None, sweep_of(), tmp_path) == {}
    measured = Measured("NVIDIA H200", True, "small-cnn", 8, "reference", 1e5, 3e5, 900.0, 4)
    (tmp_path / FILE).write_text(json.dumps([asdict(measured)]))
    assert _by_model(None, sweep_of(), tmp_path) == {"small-cnn": 4}
    assert _by_model(2, sweep_of(), tmp_path) == dict.fromkeys(MODELS, 2)
