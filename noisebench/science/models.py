"""Models by the name that a sweep gives them."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from noisebench.catalogue.models import MODELS, TORCHVISION, model_of
from noisebench.errors import InputError
from noisebench.science import vision


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
) -> nn.Module:
    """A new model from images [N, C, H, W], `shape` = (C, H, W), to logits [N, classes].

    Initialised from torch's global generator. `pretrained_state`: a state dict, for models that have one.
    Raises InputError for an unknown model, for images below 8x8, for weights that a model does not have.
    """
    if name not in MODELS and not name.startswith(TORCHVISION):
        raise InputError(f"model {name!r} is unknown; known: {', '.join(MODELS)}, {TORCHVISION}NAME")
    least = model_of(name).min_pixels
    if min(shape[1:]) < least:
        what = (
            f"images of {shape[1]}x{shape[2]} are"
            if max(shape[1:]) > 1
            else "feature vectors, as 1x1 images, are"
        )
        raise InputError(f"model {name}: {what} too small; at least {least}x{least}")
    if name.startswith(TORCHVISION):
        return vision.classifier(name.removeprefix(TORCHVISION), shape, classes, pretrained_state)
    arguments: list[Any] = [shape, classes]
    if pretrained_state is not None:
        if MODELS[name].weights is None:
            raise InputError(f"model {name}: there are no pretrained weights; set `pretrained: false`")
        arguments.append(pretrained_state)
    model: nn.Module = MODELS[name].load()(*arguments)
    return model
