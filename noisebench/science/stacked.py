"""Several models of one architecture trained as one, none touched by its neighbours."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noisebench.errors import InputError
from noisebench.science.resnet import ResidualBlock, ThinnedShortcut
from noisebench.science.vision import Whole, is_residual_block

_STATELESS = (nn.ReLU, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Identity)


class Stack(nn.Module):
    """M models side by side, from images [M, B, C, H, W] to logits float32 [M, B, K].

    Convolutions and matrix products are computed in `dtype` (float32, bfloat16, float16), the last layer in
    float32. The models lie beside each other in the channels, as groups; parameters are copies of theirs.
    Dropout draws each model's mask from a generator of its own, in the order of [B, C, H, W], or with
    `pixelwise_masks` in that of [B, H, W, C]. `nn.Dropout` on a CPU draws in the order in which its input
    lies in memory, which is the latter where the images were gathered pixel by pixel.
    Raises InputError for a layer it does not know.
    """

    def __init__(
        self,
        models: Sequence[nn.Module],
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        *,
        channels_last: bool = False,
        pixelwise_masks: bool = False,
    ) -> None:
        super().__init__()
        self.device = torch.device(device)
        self.generators = [torch.Generator(device) for _ in models]
        self.size = len(models)
        self.dtype = dtype
        self._channels_last, self._pixelwise_masks = channels_last, pixelwise_masks
        self._models = tuple(models)  # in a tuple, so that they are no part of this module
        self._layers = _stacked(models, self.generators, pixelwise_masks).to(device)
        if channels_last:
            self._layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if not isinstance(self._layers, Whole):
            _last_linear(self._layers).in_float32 = True

    def forward(self, images: Tensor) -> Tensor:
        models, batch = images.shape[:2]
        # One model sees its images as they lie in memory, as it would alone.
        side_by_side = (
            images[0] if models == 1 else images.transpose(0, 1).reshape(batch, -1, *images.shape[3:])
        )
        if self._channels_last:
            side_by_side = side_by_side.contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, self.dtype, enabled=self.dtype != torch.float32):
            logits: Tensor = self._layers(side_by_side)
        if isinstance(self._layers, Whole):
            logits = logits.float()
        return logits.view(models, batch, -1)

    @property
    def draws(self) -> bool:
        """Whether training draws random numbers, which only dropout does."""
        return isinstance(self._layers, Whole) or any(
            isinstance(module, _Dropout) and module.share > 0 for module in self.modules()
        )

    def seed(self, seeds: Sequence[int]) -> None:
        """Seed the dropout of each model."""
        for generator, seed in zip(self.generators, seeds, strict=True):
            generator.manual_seed(seed)
        if isinstance(self._layers, Whole):
            torch.manual_seed(seeds[0])

    @torch.no_grad()
    def alone(self) -> list[nn.Module]:
        """Return the models as they are now, each from images [B, C, H, W] to logits [B, K]."""
        if self.size == 1:
            return [_Alone(self)]
        wide = [*self._layers.parameters(), *self._layers.buffers()]
        for number, model in enumerate(self._models):
            for tensor, joined in zip([*model.parameters(), *model.buffers()], wide, strict=True):
                tensor.copy_(joined.chunk(self.size)[number].view_as(tensor) if tensor.dim() else joined)
        alike = {"channels_last": self._channels_last, "pixelwise_masks": self._pixelwise_masks}
        return [_Alone(Stack([model], wide[0].device, self.dtype, **alike)) for model in self._models]


class _Alone(nn.Module):
    """A stack of one as a plain model."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.stack(images.unsqueeze(0))[0]
        return logits


@contextmanager
def last_layer_inputs(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the input [B, F] of the last linear layer at each forward pass of a model of `Stack.alone`."""
    layer_inputs: list[Tensor] = []
    if any(isinstance(module, Whole) for module in model.modules()):
        raise InputError(
            "the last layer of a model of torchvision or of your own is not known, so it has no features for "
            "this detector; choose another model"
        )
    hook = _last_linear(model).register_forward_pre_hook(lambda _, inputs: layer_inputs.append(inputs[0][0]))
    try:
        yield layer_inputs
    finally:
        hook.remove()


@contextmanager
def active_dropout(model: nn.Module, seed: int) -> Iterator[None]:
    """Switch on the dropout alone of a model of `Stack.alone`, seeded, and the rest to evaluation mode."""
    model.eval()
    dropouts = [module for module in model.modules() if isinstance(module, _Dropout)]
    for dropout in dropouts:
        dropout.train()
        for generator in dropout.generators:
            generator.manual_seed(seed)
    try:
        yield
    finally:
        model.eval()


class _Linear(nn.Module):
    """A linear layer of each model: weight [M, O, I], bias [M, O], from features [M, B, I] to [M, B, O]."""

    in_float32 = False

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))

    def forward(self, x: Tensor) -> Tensor:
        if not self.in_float32:
            return self._product(x)
        with torch.autocast(x.device.type, enabled=False):
            return self._product(x.float())

    def _product(self, x: Tensor) -> Tensor:
        if len(self.weight) == 1:
            return F.linear(x.squeeze(0), self.weight.squeeze(0), self.bias.squeeze(0)).unsqueeze(0)
        return torch.baddbmm(self.bias.unsqueeze(1), x, self.weight.transpose(1, 2))


class _Dropout(nn.Module):
    """Dropout with a generator for each model, over features [M, B, I] or images [B, M * C, H, W].

    Masks of images are drawn in the order of [B, H, W, C].
    """

    def __init__(self, share: float, generators: list[torch.Generator]) -> None:
        super().__init__()
        self.share = share
        self.generators = generators

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        # Scaled after the mask: 1 / (1 - share) itself is not a bfloat16.
        return x * self._masks(x) * (1 / (1 - self.share))

    def _masks(self, x: Tensor) -> Tensor:
        if x.dim() == 3:
            return self._drawn(torch.empty_like(x, memory_format=torch.contiguous_format))
        models, (batch, channels, height, width) = len(self.generators), x.shape
        shape = (models, batch, height, width, channels // models)
        masks = self._drawn(torch.empty(shape, dtype=x.dtype, device=x.device))
        return masks.permute(1, 0, 4, 2, 3).flatten(1, 2)

    def _drawn(self, masks: Tensor) -> Tensor:
        for mask, generator in zip(masks, self.generators, strict=True):
            mask.bernoulli_(1 - self.share, generator=generator)
        return masks


class _Flatten(nn.Module):
    """From [B, M * C, H, W] to [M, B, C * H * W]."""

    def __init__(self, models: int) -> None:
        super().__init__()
        self.models = models

    def forward(self, x: Tensor) -> Tensor:
        return torch.unflatten(x, 1, (self.models, -1)).flatten(2).transpose(0, 1)


def _stacked(
    layers: Sequence[nn.Module], generators: list[torch.Generator], pixelwise_masks: bool
) -> nn.Module:
    """Return one layer that does to each model's part what its own layer does."""
    first, models = layers[0], len(layers)
    if isinstance(first, Whole) and models == 1:
        return copy.deepcopy(first)
    if isinstance(first, nn.Sequential | ResidualBlock) or is_residual_block(first):
        children = {
            name: _stacked([getattr(layer, name) for layer in layers], generators, pixelwise_masks)
            for name, _ in first.named_children()
        }
        return _recombined(first, children, pixelwise_masks)
    if isinstance(first, nn.Conv2d | nn.BatchNorm2d):
        return _wider(layers)
    if isinstance(first, nn.Linear):
        return _Linear(layers)  # type: ignore[arg-type]
    if isinstance(first, nn.Dropout):
        return _Dropout(first.p, generators)
    if isinstance(first, nn.Flatten):
        return _Flatten(models)
    if isinstance(first, ThinnedShortcut):
        return ThinnedShortcut(first.new_channels, models)
    if isinstance(first, _STATELESS):
        return first
    raise InputError(f"a {type(first).__name__} layer cannot be stacked")


# The first of each pair has less to do as the second; no value, gradient or draw changes.
_CHEAPER_LATER = ((nn.ReLU, nn.MaxPool2d), (_Dropout, _Flatten))


def _recombined(composite: nn.Module, children: dict[str, nn.Module], pixelwise_masks: bool) -> nn.Module:
    """Return `composite` with other children."""
    names = list(children)
    # Flattened features no longer show which of them make a pixel.
    swaps = _CHEAPER_LATER[:1] if pixelwise_masks else _CHEAPER_LATER
    if isinstance(composite, nn.Sequential):
        for earlier, later in pairwise(names):
            if (type(children[earlier]), type(children[later])) in swaps:
                children[earlier], children[later] = children[later], children[earlier]
    # A copy of the composite alone: its own children are large, and all of them are replaced.
    recombined = copy.copy(composite)
    recombined._modules = dict(children)
    return recombined


def _wider(layers: Sequence[nn.Module]) -> nn.Module:
    """Return convolutions or batch norms side by side in the channels of one."""
    models, wide = len(layers), copy.deepcopy(layers[0])
    if isinstance(wide, nn.Conv2d):
        wide.in_channels, wide.out_channels = models * wide.in_channels, models * wide.out_channels
        wide.groups = models
    elif isinstance(wide, nn.BatchNorm2d):
        wide.num_features *= models
    for name, tensor in [*wide.named_parameters(), *wide.named_buffers()]:
        if tensor.dim():
            joined = torch.cat([getattr(layer, name).detach() for layer in layers])
            setattr(wide, name, nn.Parameter(joined) if isinstance(tensor, nn.Parameter) else joined)
    return wide


def _last_linear(layers: nn.Module) -> _Linear:
    return [module for module in layers.modules() if isinstance(module, _Linear)][-1]
