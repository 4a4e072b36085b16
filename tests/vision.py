"""The one place that imports torchvision, the oracle of our ResNet-34."""

import importlib
import sys
from functools import cache
from types import ModuleType

import torch

_MISSING_OPERATOR = "operator torchvision::nms does not exist"


def import_torchvision() -> ModuleType:
    """The torchvision module, also beside a CPU build of torch, with which its CUDA wheel does not import."""
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if _MISSING_OPERATOR not in str(error):
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    _declare_missing_operators()
    return importlib.import_module("torchvision")


@cache
def _declare_missing_operators() -> torch.library.Library:
    """Schemas for the operators that the import refers to; the cache keeps the library, hence them, alive."""
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        schema = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define(schema)  # type: ignore[no-untyped-call]
    return library
