"""ResNets for small images."""

import textwrap
from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from noisebench.errors import DataError
from noisebench.science.vision import import_torchvision

_STAGE_WIDTHS = (16, 32, 64)
_BLOCKS_PER_STAGE = 5


class _Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut without parameters (He et al. 2016, option A)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.stride = stride
        self.new_channels = outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        residual = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(residual + self._shortcut(x))

    def _shortcut(self, x: Tensor) -> Tensor:
        """x itself, or every second pixel of it between new channels of zeros."""
        if not self.new_channels:
            return x
        before = self.new_channels // 2
        thinned = x[:, :, :: self.stride, :: self.stride]
        return F.pad(thinned, (0, 0, 0, 0, before, self.new_channels - before))


def resnet32(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The CIFAR ResNet-32 of He et al. (CVPR 2016, section 4.2) for images (C, H, W), logits [N, classes]."""
    width = _STAGE_WIDTHS[0]
    layers: list[nn.Module] = [
        nn.Conv2d(shape[0], width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
    for outputs in _STAGE_WIDTHS:
        for _ in range(_BLOCKS_PER_STAGE):
            layers.append(_Block(width, outputs, stride=2 if outputs != width else 1))
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
    model: nn.Module = import_torchvision().models.resnet34(weights=None)
    if pretrained_state is not None:
        try:
            model.load_state_dict(pretrained_state)
        except RuntimeError as error:
            cause = textwrap.shorten(str(error), 200, placeholder=" ...")
            raise DataError(f"the pretrained weights do not fit torchvision's ResNet-34: {cause}") from error
    model.conv1 = nn.Conv2d(shape[0], 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.maxpool = nn.Identity()
    model.fc = nn.Linear(512, classes)
    return model
