"""Measuring on the device at hand; the same code on every kind."""

from dataclasses import replace

import pytest

from noisebench.errors import EnvironmentFault
from noisebench.trial import calibration
from noisebench.trial.calibration import Figures, Task, calibrate
from tests.trials import trial_of

SHAPE = (1, 8, 8)


def task(precision: str = "fast") -> Task:
    training = trial_of(training=f"{{precision: {precision}}}").training
    return Task(training, SHAPE, "cpu", seconds=0.2)


@pytest.mark.slow
def test_two_processes_at_a_time() -> None:
    found = calibration._side_by_side(task(), 2)
    assert len(found) == 2
    for own in found:
        # Wide margins: nothing here is a benchmark.
        assert own.training > 100
        assert own.evaluation > 100
        assert 50 < own.memory_mb < 5_000


@pytest.mark.parametrize(
    ("precision", "height", "runs"), [("fast", 8, 5), ("fast", 28, 1), ("reference", 8, 1)]
)
def test_runs_trained_as_one_model_are_measured_as_one(precision: str, height: int, runs: int) -> None:
    bench = calibration._Bench(replace(task(precision), shape=(1, height, height)))
    assert bench.runs == runs
    assert bench.train(2) > 0


@pytest.mark.parametrize(
    ("together_rates", "memory_mb", "expected"),
    [
        ({1: 100, 2: 180, 4: 300, 8: 310}, 10_000, 4),  # eight gain too little
        ({1: 100, 2: 104, 4: 900}, 10_000, 1),  # nothing is looked for behind a step that does not pay
        ({1: 100, 2: 180, 4: 300}, 2_500, 2),  # four of 900 MB do not fit
    ],
)
def test_how_many_trials_share_a_device(
    together_rates: dict[int, float], memory_mb: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def side_by_side(_: Task, processes: int) -> list[Figures]:
        return [Figures(together_rates[processes] / processes, 1.0, 900.0)] * processes

    monkeypatch.setattr(calibration, "_side_by_side", side_by_side)
    monkeypatch.setattr(calibration, "_memory_mb", lambda _: memory_mb)
    measured = calibrate(task(), together=(2, 4, 8))
    assert (measured.model, measured.height, measured.precision) == ("small-cnn", 8, "fast")
    assert not measured.gpu
    assert measured.together == expected
    assert measured.training == pytest.approx(together_rates[expected])


def test_what_cannot_be_measured_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOISEBENCH_FAST_PATH", "fp32 graph")
    with pytest.raises(
        EnvironmentFault, match=r"small-cnn cannot be measured on cpu: InputError: .*CUDA graphs"
    ):
        calibrate(task(), together=())
