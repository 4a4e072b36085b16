"""Every mode gives the results of the plain loop: bit for bit, or within the bounds of its arithmetic."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from noisebench.catalogue.component import Component
from noisebench.data.datasets import load_dataset
from noisebench.errors import DivergedError, EnvironmentFault
from noisebench.science.stacked import _Dropout
from noisebench.training import equality
from noisebench.training.fit_group import start_group
from noisebench.training.loop import train
from noisebench.training.modes import Modes, default_modes
from tests.training.problem import CE, CPU, Problem, differences, parameters_differ, training_of

LOSSES = {
    "CE": CE,
    "ANL-CE, delayed": Component.of("ANL-CE", alpha=1.0, beta=1.0, delta=1e-3, delay=1),
    "Curriculum": Component.of("Curriculum", delay=0),
}
OPTIMIZERS = {
    "adam": {"optimizer": "adam", "learning_rate": 1e-3},
    "nesterov": {"optimizer": "nesterov", "learning_rate": 0.02, "momentum": 0.9, "weight_decay": 1e-4},
}


@pytest.mark.parametrize("augmentation", ["none", "crop-flip"])
@pytest.mark.parametrize(
    ("model", "channels", "optimizer"),
    [
        ("small-cnn", 1, "adam"),
        ("small-cnn", 3, "nesterov"),
        pytest.param("resnet-32", 1, "nesterov", marks=pytest.mark.slow),
        ("resnet-32", 3, "adam"),
    ],
)
def test_the_reference_equals_the_plain_loop_bit_for_bit(
    model: str, channels: int, optimizer: str, augmentation: str
) -> None:
    schedule = Component.of("step", every=1, factor=0.5)
    changes = {**OPTIMIZERS[optimizer], "schedule": schedule, "augmentation": augmentation}
    ours, plain = (Problem.small(1, channels=channels, **changes) for _ in range(2))
    ours.model = plain.model = model
    expected = plain.oracle()
    trained = ours.train(Modes()).models()
    assert len(ours.logits[0]) == 8
    assert not differences(ours, plain).any()
    assert not parameters_differ(trained, expected)


@pytest.mark.parametrize(
    "modes", [Modes(branches=True), Modes(torch.bfloat16, channels_last=True, branches=True)]
)
@pytest.mark.parametrize("loss", LOSSES)
def test_branches_equal_single_fits_bit_for_bit(loss: str, modes: Modes) -> None:
    together = Problem.small(3, LOSSES[loss], augmentation="crop-flip")
    group = together.train(modes)
    assert len(group.branches) == 3
    for fit, trained in enumerate(group.models()):
        part = slice(fit, fit + 1)
        task = together.task()
        task = replace(task, targets=task.targets[part], indices=task.indices[part], fits=(fit,))
        alone = start_group([together.models()[fit]], task, replace(modes, branches=False))
        train(alone, task)
        assert not parameters_differ([trained], alone.models())


@pytest.mark.slow
@pytest.mark.parametrize("augmentation", ["none", "crop-flip"])
def test_dropout_draws_the_same_masks_in_every_mode(
    augmentation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = masks(Modes(), augmentation, monkeypatch)
    assert len(reference) == 3
    assert not torch.equal(reference[0], reference[1])
    for words in ("branches", "grouped", "channels-last", "bf16", "bf16 channels-last grouped"):
        of_mode = masks(Modes.parse(words, CPU), augmentation, monkeypatch)
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(of_mode, reference, strict=True)), words


def masks(modes: Modes, augmentation: str, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Return the dropout masks of three fits, in the same order for all modes."""
    drawn: dict[int, list[Tensor]] = {}
    draw = _Dropout._masks

    def recording_masks(layer: _Dropout, x: Tensor) -> Tensor:
        kept = draw(layer, x)
        models = len(layer.generators)
        of_models = kept if kept.dim() == 3 else kept.unflatten(1, (models, -1)).transpose(0, 1)
        for generator, mask in zip(layer.generators, of_models, strict=True):
            drawn.setdefault(id(generator), []).append(mask.flatten() > 0)
        return kept

    with monkeypatch.context() as patch:
        patch.setattr(_Dropout, "_masks", recording_masks)
        problem = Problem.small(3, channels=3, epochs=1, augmentation=augmentation)
        group = problem.train(modes)
    generators = [generator for branch in group.branches for generator in branch.stack.generators]
    return [torch.cat(drawn[id(generator)]) for generator in generators]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_grouped_runs_equal_single_runs(loss: str, optimizer: str) -> None:
    together = Problem.small(3, LOSSES[loss], **OPTIMIZERS[optimizer])
    alone = Problem.small(3, LOSSES[loss], **OPTIMIZERS[optimizer])
    alone.oracle()
    together.train(Modes(grouped=True))
    assert differences(together, alone).max() < 1e-5


@pytest.mark.slow
def test_twenty_steps_on_digits_in_the_modes_of_tiny_images() -> None:
    together, alone = Problem.digits(), Problem.digits()
    alone.oracle()
    together.train(default_modes(CPU, "small-cnn", together.images.shape))
    assert differences(together, alone).shape == (2, 20)
    assert differences(together, alone).max() < 1e-4


def test_a_grouped_run_in_bfloat16_equals_a_single_run() -> None:
    together = Problem.small(3, learning_rate=1e-3)
    alone = together.alone(0)
    modes = Modes(torch.bfloat16, channels_last=True, grouped=True)
    together.train(modes)
    alone.train(modes)
    assert len(alone.logits[0]) == 8
    pairs = zip(together.logits[0], alone.logits[0], strict=True)
    assert max(float((first - second).abs().max()) for first, second in pairs) < 1e-3


def mnist(real_data: Path, fits: int, batch_size: int) -> Problem:
    """Return 20 steps on noisy MNIST labels at the paper's learning rate; the paper's batch size is 64."""
    samples = 20 * batch_size
    data = load_dataset(Component.of("MNIST", samples=samples + 160), real_data)
    generator = torch.Generator().manual_seed(0)
    labels = torch.from_numpy(data.judged.labels)
    wrong = torch.rand(len(labels), generator=generator) < 0.2
    labels = torch.where(wrong, torch.randint(0, 10, labels.shape, generator=generator), labels)
    indices = torch.stack([torch.arange(fit, samples + fit) for fit in range(fits)])
    training = training_of(epochs=1, batch_size=batch_size, learning_rate=1e-4)
    return Problem(data.judged.images, labels.expand(fits, -1), indices, training)


@pytest.mark.slow
@pytest.mark.data
def test_twenty_grouped_steps_on_mnist(real_data: Path) -> None:
    together, alone = mnist(real_data, 2, batch_size=16), mnist(real_data, 2, batch_size=16)
    alone.oracle()
    together.train(Modes(grouped=True))
    assert differences(together, alone).shape == (2, 20)
    assert differences(together, alone).max() < 1e-4


@pytest.mark.slow
@pytest.mark.data
def test_twenty_steps_on_mnist_in_bfloat16(real_data: Path) -> None:
    """Adam's first steps have one size for all gradients, so rounding errors near zero grow."""
    fast, plain = mnist(real_data, 1, batch_size=64), mnist(real_data, 1, batch_size=64)
    plain.oracle()
    fast.train(Modes(torch.bfloat16, channels_last=True))
    assert differences(fast, plain)[0, 0] < 2e-3
    pairs = zip(fast.logits[0], plain.logits[0], strict=True)
    assert max(float((first - second).square().mean().sqrt()) for first, second in pairs) < 2e-2


@pytest.mark.slow
def test_resnet32_grouped() -> None:
    problems = [Problem.small(2, **OPTIMIZERS["nesterov"], batch_size=50) for _ in range(2)]
    for problem in problems:
        problem.model = "resnet-32"
    problems[0].oracle()
    problems[1].train(Modes(grouped=True))
    assert differences(problems[1], problems[0])[:, 0].max() < 1e-4


@pytest.mark.parametrize("words", ["bf16 grouped", "fp32 branches", "fp32"])
def test_a_resumed_fit_gives_the_same_result(words: str) -> None:
    changes = {**OPTIMIZERS["nesterov"], "augmentation": "crop-flip"}
    whole, halves = Problem.small(2, **changes), Problem.small(2, **changes)
    modes = Modes.parse(words, CPU)
    expected = whole.train(modes)
    halves.training = replace(halves.training, epochs=1)
    state = halves.train(modes).state()
    halves.training = whole.training
    resumed = halves.group(modes)
    assert resumed.accepts(state)
    resumed.restore(state)
    halves.train(modes, resumed)
    assert not parameters_differ(resumed.models(), expected.models())


def test_a_fit_in_other_modes_is_not_resumed() -> None:
    problem = Problem.small(2, epochs=1)
    state = problem.train(Modes(branches=True)).state()
    assert not problem.group(Modes(grouped=True)).accepts(state)
    assert not problem.group(Modes(branches=True)).accepts({"model": {}, "optimizer": {}, "epochs_done": 1})
    assert problem.group(Modes(branches=True, graph=True)).accepts(state)


@pytest.mark.slow
def test_float16_scales_the_loss_of_each_branch() -> None:
    fast, plain = Problem.small(2, **OPTIMIZERS["nesterov"]), Problem.small(2, **OPTIMIZERS["nesterov"])
    plain.oracle()
    group = fast.train(Modes(torch.float16, branches=True))
    assert [branch.scaler.get_scale() > 1 for branch in group.branches] == [True, True]
    assert differences(fast, plain).max() < 2e-2


@pytest.mark.parametrize("modes", [Modes(grouped=True), Modes(branches=True)])
def test_divergence_of_any_run_names_its_epoch(modes: Modes) -> None:
    problem = Problem.small(2, optimizer="sgd", learning_rate=1e-3)
    problem.training = replace(problem.training, learning_rate=1e30)
    with pytest.raises(DivergedError, match="no longer finite in epoch 0"):
        problem.train(modes)


def test_modes_that_could_not_be_used_are_not_called_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Problem.small(1)
    monkeypatch.setattr(equality, "train", lambda group, *_: group.notes.append("graph not captured: why"))
    with pytest.raises(EnvironmentFault, match="fp32: graph not captured: why"):
        equality.difference(made.task(), made.models, Modes())
