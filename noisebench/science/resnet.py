"""ResNets for small images."""

import textwrap
from collections import OrderedDict
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noisebench.errors import DataError

_WIDTHS_32 = (16, 32, 64)
_BLOCKS_32 = (5, 5, 5)
_WIDTHS_34 = (64, 128, 256, 512)
_BLOCKS_34 = (3, 4, 6, 3)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016); parts are named as torchvision names them."""

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

    `models` of them lie side by side in the channels, each with its own zeros.
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
    model = _resnet34_for_imagenet()
    if pretrained_state is not None:
        try:
            model.load_state_dict(pretrained_state)
        except RuntimeError as error:
            cause = textwrap.shorten(str(error), 200, placeholder=" ...")
            raise DataError(f"the pretrained weights do not fit torchvision's ResNet-34: {cause}") from error
    model.conv1 = nn.Conv2d(shape[0], _WIDTHS_34[0], 3, padding=1, bias=False)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.fc = nn.Linear(_WIDTHS_34[-1], classes)
    return model


def _resnet34_for_imagenet() -> nn.Sequential:
    """A ResNet-34 with torchvision's names and draws: one seed gives both the same first weights.

    It has no max-pooling, which has no weights either.
    """
    width = _WIDTHS_34[0]
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, width, 7, 2, padding=3, bias=False), bn1=nn.BatchNorm2d(width), relu=nn.ReLU()
    )
    for stage, (outputs, blocks) in enumerate(zip(_WIDTHS_34, _BLOCKS_34, strict=True), start=1):
        row = []
        for _ in range(blocks):
            shortcut = nn.Identity() if outputs == width else _projection(width, outputs)
            row.append(ResidualBlock(width, outputs, 1 if outputs == width else 2, shortcut))
            width = outputs
        parts[f"layer{stage}"] = nn.Sequential(*row)
    parts |= {"avgpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(width, 1000)}
    model = nn.Sequential(parts)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def _projection(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs))
