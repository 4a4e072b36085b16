"""The only import of torchvision, made where one of its models is built; its classifiers as models."""

import difflib
import importlib
import math
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import PurePosixPath
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from noisebench.catalogue.files import Content, DataFile
from noisebench.errors import DataError, InputError

# Models whose auxiliary heads are left out, and models that are built for one image size.
_WITH_AUXILIARY_HEADS = ("googlenet", "inception_v3")
_TRANSFORMERS = ("vit_",)
_MISSING_OPERATOR = "operator torchvision::nms does not exist"


def import_torchvision() -> ModuleType:
    """Return the torchvision module, also beside a CPU build of torch.

    torchvision's CUDA wheel does not import there, because the operators `nms` and `qnms` are not registered;
    no classification model uses them.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if _MISSING_OPERATOR not in str(error):
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    _declare_missing_operators()
    return importlib.import_module("torchvision")


class Whole(nn.Module):
    """A model whose layers are not known, from images [B, C, H, W] to logits [B, K].

    Its dropout draws from torch's global generator, so such models are trained one after another. In training
    a batch of one image is doubled: a batch norm over a single value has no variance. `in_colour`: grey
    images become three equal channels.
    """

    def __init__(self, model: nn.Module, *, in_colour: bool = False) -> None:
        super().__init__()
        self.model = model
        self.in_colour = in_colour

    def forward(self, images: Tensor) -> Tensor:
        count = len(images)
        if self.in_colour and images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        if self.training and count == 1:
            images = torch.cat([images, images])
        logits: Tensor = self.model(images)
        return logits[:count]


def classifier(
    name: str,
    shape: tuple[int, int, int],
    classes: int,
    pretrained_state: Mapping[str, Tensor] | None = None,
) -> nn.Module:
    """Return a classifier of torchvision for images (C, H, W) with C of 1 or 3, without auxiliary heads.

    `pretrained_state`: its state dict with another number of classes; the last layer stays random. Raises
    InputError for an unknown name or an image size that it does not take, DataError if the state does not
    fit.
    """
    models = _of_classifiers(name)
    options: dict[str, Any] = (
        {"aux_logits": False, "init_weights": True} if name in _WITH_AUXILIARY_HEADS else {}
    )
    if name.startswith(_TRANSFORMERS):
        options["image_size"] = shape[1]
    try:
        model = models.get_model(name, weights=None, num_classes=classes, **options)
        if pretrained_state is not None:
            _load(model, pretrained_state, name)
        whole = Whole(model, in_colour=True).eval()
        with torch.no_grad():
            whole(torch.zeros(1, *shape))
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"model torchvision:{name}: does not take images of {shape[0]} x {shape[1]} x {shape[2]}: "
            f"{str(error).splitlines()[0]}; choose another --size or model"
        ) from None
    return whole.train()


def weights_file(name: str) -> DataFile:
    """Return the file of torchvision's default weights of a classifier.

    torchvision publishes the first digits of its sha256, in its name, and its size in MiB to three decimals.
    """
    weights = _of_classifiers(name).get_model_weights(name).DEFAULT
    file = PurePosixPath(weights.url)
    most = math.ceil((weights.meta["_file_size"] + 0.001) * 2**20)
    checksum = f"sha256:{file.stem.rpartition('-')[2]}"
    return DataFile(f"weights/{file.name}", Content(most, checksum, partly_known=True), weights.url)


def check_classifier(name: str, state: Mapping[str, Tensor] | None = None) -> None:
    """Raise InputError unless torchvision has a classifier of this name, DataError if the state does not fit.

    The number of classes does not matter.
    """
    models = _of_classifiers(name)
    if state is not None:
        with torch.random.fork_rng(devices=[]):
            options = {"aux_logits": False} if name in _WITH_AUXILIARY_HEADS else {}
            _load(models.get_model(name, weights=None, num_classes=2, **options), state, name)


def _of_classifiers(name: str) -> Any:
    models = import_torchvision().models
    known = models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        raise InputError(
            f"model torchvision:{name} is unknown; torchvision's classifiers: {', '.join(near or known)}"
        )
    return models


def _load(model: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Load a state into all layers but the last one, if that has another shape."""
    model_state = model.state_dict()
    fitting = {
        key: value
        for key, value in state.items()
        if key in model_state and model_state[key].shape == value.shape
    }
    last = next(reversed(model_state)).rpartition(".")[0]
    missing = {key.rpartition(".")[0] for key in model_state.keys() - fitting.keys()} - {last}
    if missing:
        raise DataError(
            f"the weights do not fit torchvision's {name}: {len(missing)} layers before the last one are "
            f"missing or have another shape, such as {min(missing)}"
        )
    model.load_state_dict(fitting, strict=False)


def is_residual_block(layer: nn.Module) -> bool:
    """Whether a layer is a `BasicBlock` of torchvision's ResNets, without importing torchvision."""
    return (type(layer).__module__, type(layer).__name__) == ("torchvision.models.resnet", "BasicBlock")


@cache
def _declare_missing_operators() -> torch.library.Library:
    """Declare the operators that the import refers to; the cache keeps the library, hence them, alive."""
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        schema = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define(schema)  # type: ignore[no-untyped-call]
    return library
