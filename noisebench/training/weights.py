"""Pretrained weights, read from the data folder."""

import pickle
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from noisebench.errors import DataError

# torchvision's ResNet34_Weights.IMAGENET1K_V1; the digits in its name begin the file's sha256.
FILES = {"resnet-34": "weights/resnet34-b627a593.pth"}


def pretrained_state(model: str, data_dir: Path | None) -> dict[str, Tensor]:
    """Return the state dict of a model's pretrained weights; raise DataError where it is not at hand."""
    mend = (
        "`noisebench prepare SPEC --data DIR` fetches it where there is internet; "
        "`training: {pretrained: false}` starts from random weights, which is another trial"
    )
    if data_dir is None:
        raise DataError(
            f"{model} is pretrained, and needs DIR/{FILES[model]}: say where with --data DIR; {mend}"
        )
    return _load(data_dir / FILES[model], mend)


@lru_cache(maxsize=1)
def _load(path: Path, mend: str) -> dict[str, Tensor]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)  # type: ignore[no-any-return]
    except FileNotFoundError:
        raise DataError(f"{path}: missing; {mend}") from None
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise DataError(f"{path}: damaged ({str(error).splitlines()[0]}); {mend}") from None
