"""100,000 trials on 64 workers of four GPUs with eight trials each: the driver has time for all events."""

from pathlib import Path

import pytest

from benchmarks.scale_simulation import simulate, small_cnn_trials
from noisebench.engine.pending import pending_trials
from noisebench.sweep.sweep import load_sweep

SWEEP = Path(__file__).parents[2] / "sweeps/paper.yaml"
# Events a second: less than `benchmarks/driver_rate.py` measured with so many trials out (results.md there).
RATE = 150.0


@pytest.mark.slow
def test_the_driver_has_time_for_all_events_of_2048_places() -> None:
    trials = pending_trials(load_sweep(SWEEP).trials(), {}, include_failed=False)
    shape, *rows = simulate(small_cnn_trials(trials, 100_000), 64, 8, RATE)
    assert shape == "64 workers of 4 V100s, 8 trials a GPU: 100,000 trials"
    for kind in ("hand-outs", "ends", "starts", "losses", "declines"):
        assert f" {kind}" in rows[2]
    verdicts = [row.rpartition(": ")[2] for row in rows if ": " in row]
    assert verdicts == ["ok"] * 3, rows
