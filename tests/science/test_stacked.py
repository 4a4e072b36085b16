"""Stacked models compute what each model computes."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from noisebench.errors import InputError
from noisebench.science.models import build
from noisebench.science.stacked import Stack

CPU = torch.device("cpu")
SHAPES = {"small-cnn": (1, 10, 10), "resnet-32": (3, 8, 8), "resnet-34": (3, 8, 8)}


def models_of(name: str, count: int = 3, *, dropout: bool = False) -> list[nn.Module]:
    torch.manual_seed(0)
    models = [build(name, SHAPES[name], 4) for _ in range(count)]
    for module in (module for model in models for module in model.modules()):
        if isinstance(module, nn.Dropout) and not dropout:
            module.p = 0.0
    return models


def images_of(name: str, count: int = 3, batch: int = 6) -> Tensor:
    return torch.rand(count, batch, *SHAPES[name], generator=torch.Generator().manual_seed(1))


def gradients(logits: Tensor, parameters: list[nn.Parameter]) -> list[Tensor]:
    targets = torch.zeros(logits[..., 0].numel(), dtype=torch.int64)
    loss = functional.cross_entropy(logits.flatten(0, -2), targets, reduction="sum")
    return list(torch.autograd.grad(loss, parameters))


@pytest.mark.parametrize(
    ("name", "channels_last"),
    [
        ("small-cnn", False),
        ("small-cnn", True),
        ("resnet-32", False),
        ("resnet-32", True),
        pytest.param("resnet-34", True, marks=pytest.mark.slow),
    ],
)
def test_logits_and_gradients(name: str, channels_last: bool) -> None:
    models, images = models_of(name, 2), images_of(name, 2)
    stack = Stack(models, CPU, channels_last=channels_last)
    logits = stack(images)
    stacked = gradients(logits, list(stack.parameters()))
    for number, (model, own) in enumerate(zip(models, images, strict=True)):
        expected = model(own)
        torch.testing.assert_close(logits[number], expected, rtol=1e-4, atol=1e-4)
        for joined, gradient in zip(stacked, gradients(expected, list(model.parameters())), strict=True):
            difference = joined.chunk(2)[number].reshape(gradient.shape) - gradient
            assert difference.norm() <= 1e-2 * gradient.norm() + 1e-4


@pytest.mark.parametrize("name", ["small-cnn", "resnet-32"])
def test_each_model_alone_has_its_weights_and_running_statistics(name: str) -> None:
    models, images = models_of(name), images_of(name)
    stack = Stack(models, CPU)
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.mul_(1.1)
    stack(images)
    stack.eval()
    for number, model in enumerate(stack.alone()):
        model.eval()
        torch.testing.assert_close(model(images[number]), stack(images)[number], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["small-cnn", "resnet-32"])
def test_a_model_does_not_depend_on_its_neighbours(name: str) -> None:
    models, images = models_of(name, dropout=True), images_of(name)
    for_all, other = Stack(models, CPU), Stack([models[0], *models_of(name, 2)], CPU)
    for stack in (for_all, other):
        stack.seed([5, 6, 7] if stack is for_all else [5, 1, 2])
    elsewhere = torch.cat([images[:1], 1 - images[1:]])
    assert torch.equal(for_all(images)[0], other(elsewhere)[0])
    images[1] = torch.nan
    assert for_all(images)[[0, 2]].isfinite().all()


def test_masks_of_dropout_are_those_of_the_model_alone() -> None:
    models, images = models_of("small-cnn", dropout=True), images_of("small-cnn")
    stack = Stack(models, CPU)
    stack.seed([11, 12, 13])
    logits = [stack(images) for _ in range(2)]
    for number, model in enumerate(models):
        torch.manual_seed(11 + number)
        for joined in logits:
            torch.testing.assert_close(joined[number], model(images[number]))
    assert not torch.allclose(logits[0], logits[1])


def test_one_model_in_float32_is_that_model_to_the_last_bit() -> None:
    (model,) = models_of("small-cnn", 1, dropout=True)
    images = images_of("small-cnn", 1)
    stack = Stack([model], CPU)
    stack.seed([3])
    torch.manual_seed(3)
    assert torch.equal(stack(images)[0], model(images[0]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_last_layer_is_computed_in_float32(dtype: torch.dtype) -> None:
    (model,) = models_of("small-cnn", 1)
    images = images_of("small-cnn", 1)
    logits = Stack([model], CPU, dtype, channels_last=True)(images)
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, logits.to(dtype).float())
    torch.testing.assert_close(logits[0], model(images[0]), rtol=0, atol=5e-3)


def test_relu_comes_after_max_pooling() -> None:
    """The order changes no value and no gradient, ties included."""
    orders: list[Callable[[Tensor], Tensor]] = [
        lambda x: functional.max_pool2d(x.relu(), 2),
        lambda x: functional.max_pool2d(x, 2).relu(),
    ]
    x = torch.randint(-2, 3, (50, 1, 8, 8), generator=torch.Generator().manual_seed(0)).float()
    found = []
    for order in orders:
        own = x.clone().requires_grad_()
        y = order(own)
        y.square().sum().backward()
        found.append((y.detach(), own.grad))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])  # type: ignore[arg-type]


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(InputError, match="a Softmax layer cannot be stacked"):
        Stack([nn.Sequential(nn.Linear(2, 2), nn.Softmax(1))], CPU)
