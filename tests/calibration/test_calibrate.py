"""Calibration of a device."""

import os
import queue
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from noisebench.calibration import calibrate as calibration
from noisebench.calibration import timing
from noisebench.calibration.calibrate import calibrate, candidates
from noisebench.calibration.task import Task
from noisebench.calibration.timing import Figures, ShortTrial, Stopwatch
from noisebench.errors import EnvironmentFault, InputError
from noisebench.sweep.calibration import Calibration, Measured
from noisebench.training.equality import difference
from noisebench.training.modes import OVERRIDE, Modes
from tests.trials import trial_of

SHAPE = (1, 8, 8)


FOLDS = "{name: confident-learning, folds: 5}"


def task(
    precision: str = "fast",
    device: str = "cpu",
    shape: tuple[int, int, int] = SHAPE,
    detector: str = FOLDS,
    scratch: Path = Path(),
) -> Task:
    trial = trial_of(training=f"{{precision: {precision}, batch_size: 32}}", detector=detector)
    return Task(trial.training, trial.detector, shape, device, 0.2, scratch)


@pytest.mark.slow
def test_two_processes_at_a_time(tmp_path: Path) -> None:
    measured = calibration._side_by_side(task(scratch=tmp_path), "fp32 channels-last grouped", 2)
    assert len(measured) == 2
    for figures in measured:
        # Wide margins: this is not a benchmark.
        assert figures.training > 100
        assert figures.evaluation > 100
        assert 50 < figures.memory_mb < 5_000
        assert figures.modes == "fp32 channels-last grouped"


AUM = "{name: aum, runs: 2}"
# One of each plan, and one for each kind of trace.
DETECTORS = (
    *(FOLDS, AUM, "none", "small-loss", "{name: ctrl, traces: in-passing}", "co-teaching"),
    *("{name: late-stopping, rounds: 2}", "selnlpl-schedule"),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "words", "detector", "fits"),
    [
        ("fast", "fp32 grouped", FOLDS, 5),
        ("reference", "fp32", FOLDS, 1),
        ("fast", "fp32 branches", AUM, 2),
        ("reference", "fp32", AUM, 1),
        ("fast", "fp32 branches", "none", 1),
    ],
)
def test_the_fits_of_the_sweeps_detector_are_timed_after_their_warm_up(
    precision: str, words: str, detector: str, fits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fit of an epoch has eight batches of 32."""
    monkeypatch.setenv(OVERRIDE, words)
    warmed_up: list[int] = []
    timed = task(precision, detector=detector)
    stopwatch = Stopwatch(timed, tmp_path, lambda: warmed_up.append(stopwatch._epochs))
    figures = stopwatch.run()
    assert warmed_up == [2]
    epochs, rest = divmod(stopwatch._images, fits * 8 * 32)
    assert (epochs > 0, rest) == (True, 0)
    assert stopwatch._models == fits
    assert figures.training == pytest.approx(stopwatch._images / stopwatch._seconds)
    assert figures.modes == words


def test_a_checkpoint_a_minute_is_part_of_the_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, "fp32")
    stopwatch = Stopwatch(task(), tmp_path, lambda: None, checkpoint_seconds=6.0)
    assert stopwatch.run().training == pytest.approx(stopwatch._images / stopwatch._seconds / 1.1)


@pytest.mark.slow
@pytest.mark.parametrize("detector", DETECTORS)
def test_a_short_trial_of_every_plan_ends_with_checkpoints_and_scores(
    detector: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OVERRIDE, "fp32 branches")
    short = ShortTrial(task(detector=detector), tmp_path)
    assert short.run() > 0, "no epoch of an unfinished fit was written"
    (scores,) = tmp_path.rglob("*.parquet")
    assert scores.stat().st_size > 0
    assert not (tmp_path / "checkpoints").exists(), "a completed trial has none"


def test_a_cpu_is_measured_in_its_fixed_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert candidates(task()) == ["fp32 channels-last grouped"]
    assert candidates(task("reference")) == ["fp32"]
    monkeypatch.setenv(OVERRIDE, "bf16")
    assert candidates(task()) == ["bf16"]


def test_a_gpu_is_measured_in_its_default_modes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **_: True)
    modes = candidates(task(device="cuda:0"))
    assert modes[0] == "bf16 channels-last graph branches"
    assert "bf16 channels-last graph grouped" in modes
    assert modes[-2:] == ["fp32 graph branches", "fp32"], "what remains if 16 bits differ too much"
    assert len(modes) == len(set(modes)) > 4


def test_the_loss_that_is_measured_starts_within_the_warm_up() -> None:
    for trial in (task().trial(), task().short_trial()):
        assert 0 < trial.loss["delay"] < min(Stopwatch.WARM_UP, trial.training.epochs)


def figures_of(rate: float, modes: str = "fp32") -> Figures:
    return Figures(rate, 1.0, 900.0, modes)


def test_the_fastest_modes_that_work_are_stored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = {"bf16 graph": None, "bf16": 300.0, "fp32": 200.0}

    def side_by_side(_: Task, words: str, processes: int) -> list[Figures]:
        rate = rates[words]
        if rate is None:
            raise EnvironmentFault(f"cannot be measured ({words}): 3.0 times the bound")
        return [figures_of(rate / processes, words)] * processes

    monkeypatch.setattr(calibration, "candidates", lambda _: list(rates))
    monkeypatch.setattr(calibration, "_side_by_side", side_by_side)
    monkeypatch.setattr(calibration, "_name", lambda _: "NVIDIA Test")
    measured = calibrate(task(device="cuda:0"), together=())
    assert (measured.modes, measured.training, measured.gpu) == ("bf16", 300.0, True)
    assert "left out: cannot be measured (bf16 graph): 3.0 times the bound" in capsys.readouterr().err
    stored = Calibration((measured,))
    assert stored.modes_of("NVIDIA Test", task().training, 8) == "bf16"
    assert stored.modes_of("NVIDIA Other", task().training, 8) is None
    assert stored.modes_of("NVIDIA Test", task("reference").training, 8) is None


def test_calibrations_of_earlier_versions_are_read(tmp_path: Path) -> None:
    (tmp_path / "calibration.json").write_text(
        '[{"device": "V100", "gpu": true, "model": "small-cnn", "height": 28, "precision": "fast", '
        '"training": 1.0, "evaluation": 1.0, "memory_mb": 1.0, "together": 2}]'
    )
    (entry,) = Calibration.read(tmp_path).measured
    assert entry == Measured("V100", True, "small-cnn", 28, "fast", 1.0, 1.0, 1.0, 2)
    assert Calibration((entry,)).modes_of("V100", task().training, 28) is None


@pytest.mark.parametrize(
    ("together_rates", "memory_mb", "expected"),
    [
        ({1: 100, 2: 180, 4: 300, 8: 310}, 10_000, 4),  # eight gain too little
        ({1: 100, 2: 104, 4: 900}, 10_000, 1),  # the search ends at the first step without a gain
        ({1: 100, 2: 180, 4: 300}, 2_500, 2),  # four of 900 MB do not fit
        ({1: 100, 2: 180, 4: None}, 10_000, 2),  # four failed
    ],
)
def test_the_number_of_trials_that_share_a_device(
    together_rates: dict[int, float | None],
    memory_mb: float,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def side_by_side(_: Task, words: str, processes: int) -> list[Figures]:
        rate = together_rates[processes]
        if rate is None:
            raise EnvironmentFault("no result within 600 seconds")
        return [figures_of(rate / processes, words)] * processes

    monkeypatch.setattr(calibration, "_side_by_side", side_by_side)
    monkeypatch.setattr(calibration, "_memory_mb", lambda _: memory_mb)
    measured = calibrate(task(), together=(2, 4, 8))
    assert (measured.model, measured.height, measured.precision) == ("small-cnn", 8, "fast")
    assert not measured.gpu
    assert measured.together == expected
    assert measured.training == pytest.approx(together_rates[expected])


def die(*_: Any) -> None:
    os._exit(9)


def hang(*_: Any) -> None:
    time.sleep(600)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("child", "reason"), [(die, "its process ended with code 9"), (hang, "no result within 0 seconds")]
)
def test_a_child_that_dies_or_hangs_is_reported(
    child: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "_measure", child)
    if child is hang:
        monkeypatch.setattr(calibration, "START_SECONDS", 0.0)
    with pytest.raises(EnvironmentFault, match=reason):
        calibration._side_by_side(task(), "fp32", 1)


def answers_of(words: str, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> list[Figures | str]:
    class Alone:
        def wait(self, _: float) -> None: ...
        def abort(self) -> None: ...

    monkeypatch.setenv(OVERRIDE, "")
    answers: queue.Queue[Figures | str] = queue.Queue()
    calibration._measure(task(scratch=scratch), words, Alone(), answers)  # type: ignore[arg-type]
    return [answers.get_nowait()]


@pytest.mark.slow
def test_a_deep_model_may_differ_as_much_as_its_type_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """ResNets amplify rounding beyond the bounds."""
    monkeypatch.setattr(timing, "EQUAL_STEPS", 3)
    deep = task(shape=(3, 8, 8))
    deep = replace(deep, training=replace(deep.training, model="resnet-32"))
    modes = Modes.parse("bf16 branches", torch.device("cpu"))
    training = timing._equality_task(deep, 2)
    found = difference(training, lambda: timing._models(deep, 2, torch.device("cpu")), modes)
    assert found.share_of_bound > 1
    timing.check_equality(deep, str(modes))

    # Weights of another seed are no rounding.
    build = timing._models
    seeds = iter(range(100))

    def other_weights(of: Task, count: int, device: torch.device) -> list[torch.nn.Module]:
        return build(of, count + next(seeds), device)[-count:]

    monkeypatch.setattr(timing, "_models", other_weights)
    with pytest.raises(InputError, match="times the bound, where this model may reach"):
        timing.check_equality(deep, str(modes))


@pytest.mark.slow
def test_modes_beyond_the_bound_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (accepted,) = answers_of("fp32 grouped", tmp_path, monkeypatch)
    assert isinstance(accepted, Figures)
    monkeypatch.setattr("noisebench.training.equality.FP32_BOUND", 1e-9)
    monkeypatch.setattr("noisebench.training.equality.LARGEST_SHARE", 1.0)
    (refused,) = answers_of("fp32 grouped", tmp_path, monkeypatch)
    assert "20 steps differ from the reference by" in str(refused)
    (impossible,) = answers_of("fp32 graph", tmp_path, monkeypatch)
    assert "a cpu has no CUDA graphs" in str(impossible)
