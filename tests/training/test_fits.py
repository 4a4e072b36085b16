"""`precision: fast` in whole trials."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from noisebench.data.datasets import load_dataset
from noisebench.errors import InputError
from noisebench.records.checkpoints import Checkpoints
from noisebench.science.stacked import Stack
from noisebench.training import surrogate
from noisebench.training.modes import OVERRIDE
from noisebench.trial.measurement import measure
from tests.training.test_resume import FEW, Stopped, StoppingCheckpoints, equal
from tests.trials import trial_of

CPU = torch.device("cpu")
PARTS: dict[str, dict[str, str]] = {
    "confident-learning": {"dataset": FEW, "more": "dynamics: true"},
    "aum": {"dataset": FEW, "detector": "aum"},
    "ctrl": {"dataset": FEW, "detector": "ctrl"},
}


def training(precision: str) -> str:
    return f"{{epochs: 3, batch_size: 128, input_scale: normalised, precision: {precision}}}"


@pytest.mark.parametrize("parts", PARTS)
def test_fast_in_float32_equals_the_reference(parts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, "fp32")
    reference = measure(trial_of(training=training("reference"), **PARTS[parts]), None, CPU)
    fast = measure(trial_of(training=training("fast"), **PARTS[parts]), None, CPU)
    assert equal(fast, reference)
    assert reference.fast_path is None
    assert fast.fast_path == "fp32"


@pytest.mark.parametrize("parts", PARTS)
def test_branches_equal_the_reference(parts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, "fp32 branches")
    reference = measure(trial_of(training=training("reference"), **PARTS[parts]), None, CPU)
    branches = measure(trial_of(training=training("fast"), **PARTS[parts]), None, CPU)
    assert equal(branches, reference)
    assert branches.fast_path == "fp32 branches"


def test_test_images_go_to_the_device_once_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = trial_of(dataset=FEW)
    dataset = load_dataset(trial.dataset, None)
    dataset = replace(dataset, test=dataset.judged)
    made: list[int] = []
    pipeline = surrogate.InputPipeline
    monkeypatch.setattr(
        surrogate, "InputPipeline", lambda *args, **more: made.append(1) or pipeline(*args, **more)
    )
    shared = surrogate.Surrogate.of(trial, dataset, CPU, Checkpoints(), None)
    before = len(made)
    model = shared.fresh_model(0, dataset.classes)
    assert torch.equal(shared.test_accuracy(model), shared.test_accuracy(model))
    assert len(made) == before + 1


@pytest.mark.parametrize("dynamics", [False, True])
def test_grouped_models_are_copied_only_for_dynamics_and_at_the_end(
    dynamics: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OVERRIDE, "fp32 grouped")
    copies = []
    alone = Stack.alone
    monkeypatch.setattr(Stack, "alone", lambda stack: copies.append(stack.size) or alone(stack))
    extra = {"more": "dynamics: true"} if dynamics else {}
    measure(trial_of(dataset=FEW, training=training("fast"), **extra), None, CPU)
    assert copies == [2] * (4 if dynamics else 1)  # after each of three epochs, and at the end


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts",
    [pytest.param(name, marks=[] if name == "confident-learning" else [pytest.mark.slow]) for name in PARTS],
)
def test_a_grouped_trial_resumes_after_each_write(
    parts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OVERRIDE, "fp32 grouped")
    trial = trial_of(training=training("fast"), **PARTS[parts])
    expected = measure(trial, None, CPU)
    reference = measure(trial_of(training=training("reference"), **PARTS[parts]), None, CPU)
    same = expected.samples["flagged"] == reference.samples["flagged"]
    assert np.mean(same) > 0.98
    for writes in range(1, 5):
        folder = tmp_path / str(writes)
        try:
            measure(trial, None, CPU, StoppingCheckpoints(folder, writes))
        except Stopped:
            # A fit that resumes alone differs in the last bits from a grouped fit.
            together = writes < 3 or parts == "ctrl"
            resumed = measure(trial, None, CPU, Checkpoints(folder, epoch_seconds=0))
            assert not together or equal(resumed, expected)
            assert np.mean(resumed.samples["flagged"] == expected.samples["flagged"]) > 0.98


@pytest.mark.slow
def test_fits_of_equal_size_are_trained_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three folds of 400 samples, the first trains on 266 samples, the others on 267."""
    monkeypatch.setenv(OVERRIDE, "fp32 grouped")
    parts = {"detector": "{name: confident-learning, folds: 3}"}
    trial = trial_of(training=training("fast"), **parts)
    with pytest.raises(Stopped):
        measure(trial, None, CPU, StoppingCheckpoints(tmp_path, 4))  # two epochs, a finished fit, an epoch
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit-1-2.pt", "run-0.pt"]
    reference = measure(trial_of(training=training("reference"), **parts), None, CPU)
    resumed = measure(trial, None, CPU, Checkpoints(tmp_path, epoch_seconds=0))
    assert np.mean(resumed.samples["flagged"] == reference.samples["flagged"]) > 0.98


def test_modes_that_the_device_lacks_fail_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, "half graph")
    with pytest.raises(InputError, match="a cpu has no CUDA graphs"):
        measure(trial_of(training=training("fast")), None, CPU)
