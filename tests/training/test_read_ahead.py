"""Images that do not fit a device are read batch by batch: every result stays as it is, to the last bit."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from noisebench.records.checkpoints import Checkpoints
from noisebench.sweep.trial import Trial
from noisebench.training import inputs
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import predict
from noisebench.training.modes import Modes
from noisebench.trial.measurement import measure
from tests.training.problem import CPU, Problem, parameters_differ
from tests.trials import trial_of

MODES = [Modes(), Modes(grouped=True), Modes(branches=True), Modes.parse("half channels-last", CPU)]


@pytest.fixture
def nothing_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "DEVICE_SHARE", 0.0)


def gathered(made: Problem) -> InputPipeline:
    pipeline = InputPipeline(made.images, "unit", made.training.augmentation, device=CPU)
    assert pipeline.gathered
    return pipeline


@pytest.mark.usefixtures("nothing_fits")
@pytest.mark.parametrize("augmentation", ["none", "crop-flip"])
@pytest.mark.parametrize("modes", MODES, ids=str)
def test_a_training_has_the_same_weights(modes: Modes, augmentation: str) -> None:
    made = Problem.small(3, augmentation=augmentation, batch_size=32)
    whole = made.train(modes)
    logits = made.logits
    made.task = lambda: replace(Problem.task(made), inputs=gathered(made))  # type: ignore[method-assign]
    by_batches = made.train(modes)
    assert not parameters_differ(whole.models(), by_batches.models())
    assert all(
        torch.equal(first, second)
        for run, other in zip(logits, made.logits, strict=True)
        for first, second in zip(run, other, strict=True)
    )
    indices, model = torch.arange(149, -1, -1), whole.models()[0]
    resident = InputPipeline(made.images, "unit")
    assert torch.equal(predict(model, gathered(made), indices), predict(model, resident, indices))


TRIALS = [
    trial_of(),
    trial_of(detector="aum"),
    trial_of(detector="{name: late-stopping, skip_epochs: 0}"),
    trial_of(detector="{name: co-teaching, gradual: 1}"),
]


@pytest.mark.slow
@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.detector.name)
def test_a_trial_has_the_same_result(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = measure(trial, None, CPU, Checkpoints())
    monkeypatch.setattr(inputs, "DEVICE_SHARE", 0.0)
    by_batches = measure(trial, None, CPU, Checkpoints())
    assert by_batches.result == whole.result
    assert by_batches.epochs == whole.epochs
    for name, values in whole.samples.items():
        assert np.array_equal(values, by_batches.samples[name], equal_nan=True), name


@pytest.mark.usefixtures("nothing_fits")
def test_a_thread_reads_two_batches_ahead_and_ends_with_its_reader() -> None:
    made = Problem.small(1)
    pipeline, before = gathered(made), set(threading.enumerate())
    batches = torch.arange(150).view(15, 1, 10).unbind()
    ahead = pipeline.read_ahead(batches)
    first = next(ahead)
    assert first is not None
    assert torch.equal(first, made.images[:10])
    (thread,) = set(threading.enumerate()) - before
    assert thread.name.startswith("read-ahead")
    ahead.close()  # type: ignore[attr-defined]
    assert not thread.is_alive()


@pytest.mark.usefixtures("nothing_fits")
def test_an_error_of_the_reading_thread_ends_the_training() -> None:
    made = Problem.small(1)
    pipeline = gathered(made)
    pipeline.images = torch.zeros(0, 1, 8, 8, dtype=torch.uint8)
    with pytest.raises(IndexError):
        list(pipeline.read_ahead([torch.arange(3)]))


def test_images_that_fit_are_on_the_device() -> None:
    images = Problem.small(1).images
    pipeline = InputPipeline(images, "unit", device=CPU)
    assert not pipeline.gathered
    assert pipeline.images.data_ptr() == images.data_ptr()
    assert list(pipeline.read_ahead([torch.arange(3)] * 2)) == [None, None]
