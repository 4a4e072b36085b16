"""Models by the name that a sweep gives them."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from noisebench.errors import InputError
from noisebench.science.resnet import resnet32, resnet34


def small_cnn(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The papers' CNN for MNIST: 1,199,882 parameters at shape (1, 28, 28) with 10 classes; H, W >= 8."""
    channels, height, width = shape
    features = 64 * ((height - 4) // 2) * ((width - 4) // 2)
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(features, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, classes),
    )


MODELS: dict[str, Callable[..., nn.Module]] = {
    "small-cnn": small_cnn,
    "resnet-32": resnet32,
    "resnet-34": resnet34,
}

_PRETRAINABLE = ("resnet-34",)


def build(
    name: str,
    shape: tuple[int, int, int],
    classes: int,
    pretrained_state: Mapping[str, Tensor] | None = None,
) -> nn.Module:
    """A new model from images [N, C, H, W], `shape` = (C, H, W), to logits [N, classes].

    Initialised from torch's global generator. `pretrained_state`: a state dict, for resnet-34 alone.
    """
    if name not in MODELS:
        raise InputError(f"model {name!r} is unknown; known: {', '.join(MODELS)}")
    if min(shape[1:]) < 8:
        raise InputError(f"model {name}: images of {shape[1]}x{shape[2]} are too small; at least 8x8")
    if pretrained_state is None:
        return MODELS[name](shape, classes)
    if name not in _PRETRAINABLE:
        raise InputError(f"model {name}: there are no pretrained weights; set `pretrained: false`")
    return MODELS[name](shape, classes, pretrained_state)
