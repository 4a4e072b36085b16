"""Fast training does what the reference does: to the last bit, or as near as its arithmetic allows."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from noisebench.catalogue.component import Component
from noisebench.data.datasets import load_dataset
from noisebench.errors import DivergedError
from noisebench.training.fast_path import FastPath
from noisebench.training.inputs import InputPipeline
from tests.training.problem import CE, CPU, Problem, differences, training_of

LOSSES = {
    "CE": CE,
    "ANL-CE, delayed": Component.of("ANL-CE", alpha=1.0, beta=1.0, delta=1e-3, delay=1),
    "Curriculum": Component.of("Curriculum", delay=0),
}
OPTIMIZERS = {
    "adam": {"optimizer": "adam", "learning_rate": 1e-3},
    "nesterov": {"optimizer": "nesterov", "learning_rate": 0.02, "momentum": 0.9, "weight_decay": 1e-4},
}


@pytest.mark.parametrize(
    ("model", "optimizer"), [("small-cnn", "adam"), ("small-cnn", "nesterov"), ("resnet-32", "nesterov")]
)
def test_one_run_in_float32_is_the_reference_to_the_last_bit(model: str, optimizer: str) -> None:
    schedule = Component.of("step", every=1, factor=0.5)
    more = {**OPTIMIZERS[optimizer], "schedule": schedule}
    fast, reference = Problem.small(1, **more), Problem.small(1, **more)
    fast.model = reference.model = model
    (expected,) = reference.reference()
    (found,) = fast.fast(FastPath()).stack.alone()
    assert len(fast.logits[0]) == 8
    assert not differences(fast, reference).any()
    parts = zip(found.state_dict().values(), expected.state_dict().values(), strict=True)
    assert all(torch.equal(own.view(other.shape), other) for own, other in parts)


def test_an_epochs_augmentation_is_drawn_as_the_reference_draws_it() -> None:
    pipeline = InputPipeline(Problem.small().images, "unit", "crop-flip")
    order = torch.randperm(150)[:70]
    pipeline.seed_augmentation(5)
    expected = [pipeline.training_batch(batch) for batch in torch.split(order, 32)]
    draws = pipeline.epoch_draws(5, 70, 32)
    assert draws is not None
    batches = zip(torch.split(order, 32), torch.split(draws, 32), strict=True)
    for (batch, drawn), own in zip(batches, expected, strict=True):
        assert torch.equal(pipeline.drawn_batch(batch[None], drawn[None])[0], own)
    assert InputPipeline(pipeline.images, "unit").epoch_draws(5, 70, 32) is None


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_runs_side_by_side_are_the_runs_alone(loss: str, optimizer: str) -> None:
    together = Problem.small(3, LOSSES[loss], **OPTIMIZERS[optimizer])
    alone = Problem.small(3, LOSSES[loss], **OPTIMIZERS[optimizer])
    alone.reference()
    together.fast(FastPath(fused=True))
    assert differences(together, alone).max() < 1e-5


def test_twenty_steps_on_digits_by_the_path_of_tiny_images() -> None:
    together, alone = Problem.digits(), Problem.digits()
    alone.reference()
    together.fast(FastPath.of(CPU, "small-cnn", together.images.shape))
    assert differences(together, alone).shape == (2, 20)
    assert differences(together, alone).max() < 1e-4


def test_a_run_in_bfloat16_side_by_side_is_the_run_alone() -> None:
    together = Problem.small(3, learning_rate=1e-3)
    alone = replace(together, targets=together.targets[:1], indices=together.indices[:1])
    path = FastPath(torch.bfloat16, channels_last=True, fused=True)
    together.fast(path)
    alone.fast(path)
    assert len(alone.logits[0]) == 8
    pairs = zip(together.logits[0], alone.logits[0], strict=True)
    assert max(float((own - other).abs().max()) for own, other in pairs) < 1e-3


def mnist(real_data: Path, runs: int, batch_size: int) -> Problem:
    """20 steps at the paper's learning rate on noisy labels of MNIST; its batches hold 64 images."""
    samples = 20 * batch_size
    data = load_dataset(Component.of("MNIST", samples=samples + 160), real_data)
    generator = torch.Generator().manual_seed(0)
    labels = torch.from_numpy(data.judged.labels)
    wrong = torch.rand(len(labels), generator=generator) < 0.2
    labels = torch.where(wrong, torch.randint(0, 10, labels.shape, generator=generator), labels)
    indices = torch.stack([torch.arange(run, samples + run) for run in range(runs)])
    training = training_of(epochs=1, batch_size=batch_size, learning_rate=1e-4)
    return Problem(data.judged.images, labels.expand(runs, -1), indices, training)


@pytest.mark.data
def test_twenty_steps_on_mnist_side_by_side(real_data: Path) -> None:
    together, alone = mnist(real_data, 2, batch_size=16), mnist(real_data, 2, batch_size=16)
    alone.reference()
    together.fast(FastPath(fused=True))
    assert differences(together, alone).shape == (2, 20)
    assert differences(together, alone).max() < 1e-4


@pytest.mark.data
def test_twenty_steps_on_mnist_in_bfloat16(real_data: Path) -> None:
    """Adam's first steps are as long for a gradient near zero as for any: noise in it grows step by step."""
    fast, reference = mnist(real_data, 1, batch_size=64), mnist(real_data, 1, batch_size=64)
    reference.reference()
    fast.fast(FastPath(torch.bfloat16, channels_last=True))
    assert differences(fast, reference)[0, 0] < 2e-3
    pairs = zip(fast.logits[0], reference.logits[0], strict=True)
    assert max(float((own - other).square().mean().sqrt()) for own, other in pairs) < 2e-2


def test_resnet32_side_by_side() -> None:
    problems = [Problem.small(2, **OPTIMIZERS["nesterov"], batch_size=50) for _ in range(2)]
    for problem in problems:
        problem.model = "resnet-32"
    problems[0].reference()
    problems[1].fast(FastPath(fused=True))
    assert differences(problems[1], problems[0])[:, 0].max() < 1e-4


def test_a_fit_picked_up_after_an_epoch_ends_the_same() -> None:
    more = {**OPTIMIZERS["nesterov"], "augmentation": "crop-flip"}
    whole, halves = Problem.small(2, **more), Problem.small(2, **more)
    path = FastPath(torch.bfloat16, fused=True)
    expected = whole.fast(path)
    halves.training = replace(halves.training, epochs=1)
    kept = halves.fast(path).state()
    halves.training = whole.training
    resumed = halves.fit(path)
    resumed.restore(kept)
    halves.fast(path, resumed)
    for own, other in zip(resumed.stack.parameters(), expected.stack.parameters(), strict=True):
        assert torch.equal(own, other)


def test_float16_scales_the_loss() -> None:
    fast, reference = Problem.small(1, **OPTIMIZERS["nesterov"]), Problem.small(1, **OPTIMIZERS["nesterov"])
    reference.reference()
    fit = fast.fast(FastPath(torch.float16))
    assert fit.scaler.get_scale() > 1
    assert differences(fast, reference).max() < 2e-2


def test_divergence_of_any_run_names_its_epoch() -> None:
    problem = Problem.small(2, optimizer="sgd", learning_rate=1e-3)
    problem.training = replace(problem.training, learning_rate=1e30)
    with pytest.raises(DivergedError, match="no longer finite in epoch 0"):
        problem.fast(FastPath(fused=True))
