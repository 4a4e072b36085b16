"""The models' sizes and shapes, and the layers that replace pretrained ones."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from noisebench.catalogue.models import MODELS
from noisebench.errors import DataError, InputError
from noisebench.science.models import build
from noisebench.science.vision import import_torchvision

SIZES = [
    ("small-cnn", (1, 28, 28), 10, 1_199_882),
    ("small-cnn", (1, 8, 8), 10, 53_002),
    ("small-cnn", (3, 9, 12), 11, 86_475),
    ("resnet-32", (3, 32, 32), 10, 464_154),
    ("resnet-32", (3, 32, 32), 101, 470_069),
    ("resnet-34", (3, 32, 32), 100, 21_328_292),
    ("linear", (64, 1, 1), 10, 650),
    ("linear", (1, 8, 8), 10, 650),
    ("mlp", (64, 1, 1), 10, 19_210),
]


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("name", "shape", "classes", "parameters"), SIZES)
def test_parameters_and_shapes(name: str, shape: tuple[int, int, int], classes: int, parameters: int) -> None:
    model = build(name, shape, classes)
    assert _parameters(model) == parameters
    assert model(torch.zeros(2, *shape)).shape == (2, classes)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_classifier_of_torchvision(channels: int) -> None:
    model = build("torchvision:mobilenet_v3_small", (channels, 32, 32), 7)
    assert model(torch.zeros(2, channels, 32, 32)).shape == (2, 7)
    # A batch norm over one image of one pixel would fail.
    assert model.train()(torch.zeros(1, channels, 32, 32)).shape == (1, 7)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("resnet19", (3, 32, 32), "torchvision:resnet19 is unknown; torchvision's classifiers: resnet18"),
        ("resnet18", (3, 16, 16), "16x16 are too small"),
        ("resnet18", (64, 1, 1), "too small"),
        ("alexnet", (3, 32, 32), "does not take images of 3 x 32 x 32"),
    ],
)
def test_a_classifier_that_does_not_fit_is_refused(
    name: str, shape: tuple[int, int, int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        build(f"torchvision:{name}", shape, 10)


def test_pretrained_weights_fill_all_layers_but_the_last() -> None:
    name, shape = "torchvision:mobilenet_v3_small", (3, 32, 32)
    published = build(name, shape, 1000).model.state_dict()
    model = build(name, shape, 7, published)
    own = model.model.state_dict()
    differ = [key for key, value in own.items() if not torch.equal(value, published[key])]
    assert differ == ["classifier.3.weight", "classifier.3.bias"]
    with pytest.raises(DataError, match="do not fit torchvision's shufflenet_v2_x0_5: 112 layers"):
        build("torchvision:shufflenet_v2_x0_5", shape, 7, published)


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations that torch dispatches."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_work_of_a_model_is_counted_right(name: str) -> None:
    stated = MODELS[name].work
    model, images = build(name, stated.shape, 10), torch.zeros(2, *stated.shape)
    forward, training = FlopCounterMode(display=False), FlopCounterMode(display=False)
    with forward, torch.no_grad():
        model(images)
    with training, _Operations() as operations:  # type: ignore[no-untyped-call]
        cross_entropy(model(images), torch.zeros(2, dtype=torch.int64)).backward()  # type: ignore[no-untyped-call]
    counted = (forward.get_total_flops() / 2, training.get_total_flops() / 2)
    assert counted == (stated.forward, stated.training)
    # Versions of torch divide some operations differently.
    assert operations.count == pytest.approx(stated.operations, rel=0.15)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name == "resnet-34" else []) for name in sorted(MODELS)],
)
def test_one_seed_gives_one_initialisation(name: str) -> None:
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(torch.cat([p.detach().flatten() for p in build(name, (1, 8, 8), 10).parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_resnet32_shortcut_has_no_parameters_and_pads_the_new_channels() -> None:
    model = build("resnet-32", (3, 16, 16), 10)
    assert sum(isinstance(module, nn.Conv2d) for module in model.modules()) == 31
    block = model[8]
    for norm in (block.bn1, block.bn2):
        nn.init.zeros_(norm.weight)
    x = torch.rand(2, 16, 8, 8)
    y = block(x)
    assert y.shape == (2, 32, 4, 4)
    torch.testing.assert_close(y[:, 8:24], x[:, :, ::2, ::2])
    assert (y[:, :8] == 0).all()
    assert (y[:, 24:] == 0).all()


@pytest.mark.slow
def test_resnet34_starts_and_computes_as_torchvisions() -> None:
    """One seed gives both the same weights; with the same stem, no pooling, they give the same logits."""
    torch.manual_seed(3)
    theirs = import_torchvision().models.resnet34(weights=None)
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    nn.init.kaiming_normal_(theirs.conv1.weight, mode="fan_out", nonlinearity="relu")
    theirs.fc = nn.Linear(512, 10)
    torch.manual_seed(3)
    ours = build("resnet-34", (3, 32, 32), 10)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(torch.equal(own, theirs.state_dict()[name]) for name, own in ours.state_dict().items())
    images = torch.rand(2, 3, 16, 16)
    assert torch.equal(ours(images), theirs(images))


def test_resnet34_draws_its_first_weights_in_a_fixed_order() -> None:
    """The first weights of published trials; another construction must not change them."""
    torch.manual_seed(3)
    state = build("resnet-34", (3, 32, 32), 10).state_dict()
    expected = {
        "conv1.weight": [0.07194090634584427, 0.1360984444618225],
        "layer1.0.conv1.weight": [-0.11536126583814621, 0.06681245565414429],
        "layer4.2.conv2.weight": [-0.011328263208270073, -0.0069296713918447495],
        "fc.weight": [0.03533771261572838, -0.03195652365684509],
    }
    for name, values in expected.items():
        torch.testing.assert_close(state[name].flatten()[:2].tolist(), values, rtol=1e-5, atol=0)


@pytest.mark.slow
def test_small_models_are_built_without_torchvision() -> None:
    code = "import sys; from noisebench.science.models import build; build('resnet-32', (3, 8, 8), 2)"
    check = f"{code}; raise SystemExit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.slow
def test_resnet34_keeps_the_pretrained_layers_but_stem_and_head() -> None:
    torch.manual_seed(0)
    state = import_torchvision().models.resnet34(weights=None).state_dict()
    model = build("resnet-34", (3, 32, 32), 10, state)
    new = model.state_dict()
    changed = {name for name, value in state.items() if not torch.equal(new[name], value)}
    assert changed == {"conv1.weight", "fc.weight", "fc.bias"}
    assert new["conv1.weight"].shape == (64, 3, 3, 3)
    model.eval()
    assert model.layer1(model.conv1(torch.zeros(1, 3, 32, 32))).shape == (1, 64, 32, 32)


def test_weights_of_another_model_are_refused() -> None:
    with pytest.raises(DataError, match=r"do not fit torchvision's ResNet-34: .*Missing key\(s\) .*\.\.\.$"):
        build("resnet-34", (3, 32, 32), 10, {"conv1.weight": torch.zeros(64, 3, 7, 7)})


def test_bad_requests_are_refused() -> None:
    with pytest.raises(
        InputError, match="model 'resnet-50' is unknown; known: small-cnn, resnet-32, resnet-34, linear, mlp"
    ):
        build("resnet-50", (3, 32, 32), 10)
    with pytest.raises(InputError, match="small-cnn: there are no pretrained weights"):
        build("small-cnn", (1, 8, 8), 10, {})
    with pytest.raises(InputError, match="images of 28x7 are too small; at least 8x8"):
        build("small-cnn", (1, 28, 7), 10)
    with pytest.raises(InputError, match="small-cnn: feature vectors, as 1x1 images, are too small"):
        build("small-cnn", (64, 1, 1), 10)
