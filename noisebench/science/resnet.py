"""ResNets for small images."""

import textwrap
from collections import OrderedDict
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noisebench.errors import DataError
from noisebench.science.vision import import_torchvision

_WIDTHS_32 = (16, 32, 64)
_BLOCKS_32 = (5, 5, 5)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(residual + self.downsample(x))


class ThinnedShortcut(nn.Module):
    """Every second pixel between new channels of zeros: option A of He et al. 2016, without parameters.

    The channels of `models` models are side by side, each with its own zeros.
    """

    def __init__(self, new_channels: int, models: int = 1) -> None:
        super().__init__()
        self.new_channels = new_channels
        self.models = models

    def forward(self, x: Tensor) -> Tensor:
        before = self.new_channels // 2
        thinned = torch.unflatten(x[:, :, ::2, ::2], 1, (self.models, -1))
        return F.pad(thinned, (0, 0, 0, 0, before, self.new_channels - before)).flatten(1, 2)


def resnet32(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The CIFAR ResNet-32 of He et al. (CVPR 2016, section 4.2) for images (C, H, W), logits [N, classes]."""
    width = _WIDTHS_32[0]
    layers: list[nn.Module] = [
        nn.Conv2d(shape[0], width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
    for outputs, blocks in zip(_WIDTHS_32, _BLOCKS_32, strict=True):
        for _ in range(blocks):
            shortcut = nn.Identity() if outputs == width else ThinnedShortcut(outputs - width)
            layers.append(ResidualBlock(width, outputs, 1 if outputs == width else 2, shortcut))
            width = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)]
    model = nn.Sequential(*layers)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    return model


def resnet34(
    shape: tuple[int, int, int], classes: int, pretrained_state: Mapping[str, Tensor] | None = None
) -> nn.Module:
    """torchvision's ResNet-34 with a 3x3 stem of stride 1, no max-pooling and its own last layer.

    `pretrained_state`: torchvision's IMAGENET1K_V1 state dict, for every layer but the stem and the last.
    Raises DataError if it is not the state of a ResNet-34.
    """
    model = import_torchvision().models.resnet34(weights=None)
    if pretrained_state is not None:
        try:
            model.load_state_dict(pretrained_state)
        except RuntimeError as error:
            cause = textwrap.shorten(str(error), 200, placeholder=" ...")
            raise DataError(f"the pretrained weights do not fit torchvision's ResNet-34: {cause}") from error
    layers = OrderedDict(model.named_children())
    del layers["maxpool"]
    width, features = layers["conv1"].out_channels, layers["fc"].in_features
    layers["conv1"] = nn.Conv2d(shape[0], width, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(layers["conv1"].weight, mode="fan_out", nonlinearity="relu")
    # A Sequential instead of torchvision's ResNet: models that are trained together need its layers in order.
    layers["flatten"] = nn.Flatten()
    layers.move_to_end("fc")
    layers["fc"] = nn.Linear(features, classes)
    return nn.Sequential(layers)
