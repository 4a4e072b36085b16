"""The grid's images, written down, are those of the sweep."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.grid import GRID, OVERHEAD_SECONDS, hours
from noisebench.sweep import cost
from noisebench.sweep.sweep import load_sweep
from noisebench.sweep.trial import Trial

PAPER = Path(__file__).parents[2] / "sweeps" / "paper.yaml"
TRAINING_RATES = {"small-cnn": 8e5, "resnet-32": 1e5, "resnet-34": 4e4}
EVALUATION_RATES = {model: 3 * rate for model, rate in TRAINING_RATES.items()}


@pytest.mark.slow
def test_hours_of_the_grid_are_those_that_plan_estimates() -> None:
    rates = {
        (model, height): cost.Rate(TRAINING_RATES[model], EVALUATION_RATES[model])
        for model, height in (("small-cnn", 28), ("resnet-32", 32), ("resnet-34", 32))
    }
    counts: Counter[Trial] = Counter(replace(trial, seed=0) for trial in load_sweep(PAPER).trials())
    seconds = sum(count * cost.seconds_for(trial, rates) for trial, count in counts.items())
    assert OVERHEAD_SECONDS == cost.OVERHEAD_SECONDS
    assert hours(TRAINING_RATES, EVALUATION_RATES) == pytest.approx(seconds / 3600, rel=1e-6)
    assert sum(work.trials for work in GRID.values()) == counts.total()
