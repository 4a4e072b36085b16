"""Training follows the trial's objective, schedule, batches and scaling."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from noisebench.catalogue.component import Component
from noisebench.errors import DivergedError, InputError
from noisebench.science.losses import cross_entropy, piecewise_zero
from noisebench.training.fit_group import FitGroup, start_group
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import predict, train
from noisebench.training.modes import Modes
from noisebench.training.objective import Objective
from noisebench.training.task import TrainingTask
from tests.training.problem import CE, parameters_differ
from tests.trials import trial_of

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.2, 0.1]])
TARGETS = torch.tensor([0, 2])


def test_the_loss_is_cross_entropy_during_the_delay() -> None:
    objective = Objective.of(Component.of("PZ", c=0.9, delay=2))
    ce, pz = cross_entropy(LOGITS, TARGETS), piecewise_zero(LOGITS, TARGETS, c=0.9)
    assert not torch.equal(ce, pz)
    for epoch, expected in enumerate([ce, ce, pz, pz]):
        assert torch.equal(objective.per_sample(LOGITS, TARGETS, epoch), expected)


def test_anl_adds_the_norm_of_all_parameters() -> None:
    objective = Objective.of(Component.of("ANL-CE", alpha=1.0, beta=1.0, delta=0.5, delay=0))
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, -2.0], [3.0, -4.0]]))
        model.bias.copy_(torch.tensor([0.5, -0.5]))
    penalty = objective.penalty(model, epoch=0)
    assert penalty is not None
    assert penalty.item() == pytest.approx(0.5 * 11)
    assert Objective.of(Component.of("CE", delay=0)).penalty(model, epoch=0) is None


def test_a_users_loss_must_return_one_value_for_each_sample(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mean_loss_of_a_test.py").write_text("def f(logits, targets):\n    return logits.mean()\n")  # type: ignore[operator]
    monkeypatch.syspath_prepend(tmp_path)
    objective = Objective.of(Component.of("mean_loss_of_a_test:f", delay=0, source=None))
    with pytest.raises(
        InputError, match=r"returned shape \[\] for 2 samples; it must return one loss a sample, \[2\]"
    ):
        objective.per_sample(LOGITS, TARGETS, 0)


def pixels(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def test_input_scales() -> None:
    images, everything = pixels(50, 2, 4, 4), torch.arange(50)
    raw = InputPipeline(images, "raw").plain_batch(everything)
    assert torch.equal(raw, images.float())
    assert torch.allclose(InputPipeline(images, "unit").plain_batch(everything), raw / 255)
    normalised = InputPipeline(images, "normalised")
    batch = normalised.plain_batch(everything)
    assert torch.allclose(batch.mean((0, 2, 3)), torch.zeros(2), atol=1e-5)
    assert torch.allclose(batch.std((0, 2, 3), unbiased=False), torch.ones(2), atol=1e-5)
    other = InputPipeline(images[:5], "normalised", like=normalised).plain_batch(torch.arange(5))
    assert torch.equal(other, batch[:5])


def test_crop_and_flip_shows_windows_of_the_padded_image() -> None:
    images = pixels(20, 3, 8, 8)
    pipeline = InputPipeline(images, "raw", "crop-flip")
    draws = pipeline.epoch_draws(1, samples=20, batch_size=8)
    assert torch.equal(draws, pipeline.epoch_draws(1, samples=20, batch_size=8))
    first = pipeline.drawn_batch(torch.arange(20)[None], draws[None])[0]
    padded = nn.functional.pad(images.float(), [4] * 4)
    shifts = set()
    for sample in range(20):
        windows = {
            (top, left, mirrored): window.flip(-1) if mirrored else window
            for top in range(9)
            for left in range(9)
            for mirrored in (False, True)
            for window in [padded[sample, :, top : top + 8, left : left + 8]]
        }
        matching = [shift for shift, window in windows.items() if torch.equal(window, first[sample])]
        assert len(matching) == 1
        shifts.add(matching[0])
    assert len(shifts) > 10
    assert {mirrored for _, _, mirrored in shifts} == {False, True}


@pytest.mark.parametrize(("samples", "size"), [(64, 64), (130, 64), (7, 8), (10, 1)])
def test_an_epochs_augmentation_is_that_of_its_batches_drawn_one_by_one(samples: int, size: int) -> None:
    draws = InputPipeline(pixels(1, 1, 8, 8), "raw", "crop-flip").epoch_draws(5, samples, size)
    generator = torch.Generator().manual_seed(5)
    for batch in draws.split(size):
        corners = torch.randint(0, 9, (2, len(batch)), generator=generator)
        mirrored = torch.randint(0, 2, (len(batch),), generator=generator)
        assert torch.equal(batch, torch.stack([*corners, mirrored], 1))


class Recorder:
    """A small training that records its batches and learning rates."""

    def __init__(self, **changes: object) -> None:
        self.training = replace(trial_of().training, **changes)  # type: ignore[arg-type]
        self.images, self.targets = pixels(90, 1, 8, 8), torch.arange(90) % 3
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 3))
        self.group = start_group([self.model], self.task(), Modes())
        self.batches: list[tuple[int, list[int]]] = []
        self.rates: list[float] = []

    def task(self, indices: Tensor | None = None, objective: Objective | None = None) -> TrainingTask:
        return TrainingTask(
            inputs=InputPipeline(self.images, "unit"),
            targets=self.targets[None],
            indices=(torch.arange(90) if indices is None else indices)[None],
            objective=objective or Objective.of(CE),
            training=self.training,
            fits=(0,),
            seed_for=trial_of().seed_for,
        )

    def run(self, indices: Tensor | None = None) -> None:
        def note_batch(epoch: int, _logits: Tensor, _targets: Tensor, batch: Tensor) -> None:
            self.batches.append((epoch, batch.tolist()))

        def note_rate(group: FitGroup, _: object) -> None:
            self.rates.append(group.branches[0].optimizer.param_groups[0]["lr"])

        train(self.group, self.task(indices), [note_batch], note_rate)


def test_every_epoch_sees_every_sample_once_in_another_order() -> None:
    recorder = Recorder(epochs=2, batch_size=40)
    recorder.run(torch.arange(10, 90))
    epochs = [[i for e, batch in recorder.batches if e == epoch for i in batch] for epoch in (0, 1)]
    assert [len(batch) for _, batch in recorder.batches] == [40, 40, 40, 40]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(10, 90))
    assert epochs[0] != epochs[1]


def test_step_schedule() -> None:
    recorder = Recorder(epochs=5, learning_rate=0.1, schedule=Component.of("step", every=2, factor=0.5))
    recorder.run()
    assert recorder.rates == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025])


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "nesterov"])
def test_a_resumed_fit_gives_the_same_result(optimizer: str) -> None:
    """Every draw is seeded by (purpose, fit, epoch): model, optimizer and epoch are the whole state."""
    whole = Recorder(epochs=4, optimizer=optimizer, momentum=0.9)
    whole.run()
    halves = Recorder(epochs=2, optimizer=optimizer, momentum=0.9)
    halves.run()
    torch.rand(7)  # as another trial might change the global generator
    halves.training = whole.training
    halves.run()
    assert not parameters_differ(halves.group.models(), whole.group.models())


def test_divergence_names_its_epoch(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nan_loss_of_a_test.py").write_text(
        "def f(logits, targets):\n    return logits[:, 0] * float('nan')\n"
    )  # type: ignore[operator]
    monkeypatch.syspath_prepend(tmp_path)
    recorder = Recorder(epochs=3)
    objective = Objective.of(Component.of("nan_loss_of_a_test:f", delay=1, source=None))
    with pytest.raises(DivergedError, match="no longer finite in epoch 1"):
        train(recorder.group, recorder.task(objective=objective))


def test_predict_is_in_evaluation_mode_and_in_order() -> None:
    recorder = Recorder()
    inputs, (model,) = InputPipeline(recorder.images, "unit"), recorder.group.models()
    logits = predict(model, inputs, torch.tensor([5, 2]))
    assert torch.equal(logits, predict(model, inputs, torch.tensor([5, 2])))
    assert torch.allclose(logits[1], predict(model, inputs, torch.tensor([2]))[0], atol=1e-6)
