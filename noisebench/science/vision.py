"""The only import of torchvision, made where one of its models is built."""

import importlib
import sys
from functools import cache
from types import ModuleType

import torch
from torch import nn

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
