"""Models by the name that a sweep gives them."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from noisebench.catalogue.models import model_of
from noisebench.errors import InputError
from noisebench.science.own_model import own_model


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


def linear(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A linear classifier of D = C H W values: (D + 1) K parameters."""
    channels, height, width = shape
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, classes))


def mlp(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """One hidden layer of 256 units on D = C H W values: 256 (D + 1) + 257 K parameters."""
    channels, height, width = shape
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(channels * height * width, 256),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(256, classes),
    )


def build(
    name: str,
    shape: tuple[int, int, int],
    classes: int,
    pretrained_state: Mapping[str, Tensor] | None = None,
    source: str | None = None,
) -> nn.Module:
    """A new model from images [N, C, H, W], `shape` = (C, H, W), to logits [N, classes].

    Initialised from torch's global generator. `pretrained_state`: a state dict, for models that have one.
    `source`: the hash that the module of a user's model must have. Raises InputError for an unknown model,
    for images that are too small, for weights that a model lacks, for a user's model that is wrong.
    """
    entry = model_of(name)
    if min(shape[1:]) < entry.min_pixels:
        what = (
            f"images of {shape[1]}x{shape[2]} are"
            if max(shape[1:]) > 1
            else "feature vectors, as 1x1 images, are"
        )
        raise InputError(f"model {name}: {what} too small; at least {entry.min_pixels}x{entry.min_pixels}")
    arguments: list[Any] = [*entry.arguments, shape, classes]
    if pretrained_state is not None:
        if entry.weights is None:
            raise InputError(f"model {name}: there are no pretrained weights; set `pretrained: false`")
        arguments.append(pretrained_state)
    if entry.is_users_function:
        return own_model(name, shape, classes, source)
    model: nn.Module = entry.load()(*arguments)
    return model
