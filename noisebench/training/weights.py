"""Pretrained weights, read from the data folder."""

import io
import pickle
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from noisebench.catalogue.files import DataFile
from noisebench.catalogue.models import model_of
from noisebench.data.files import read_verified
from noisebench.errors import DataError, InputError


def pretrained_state(model: str, data_dir: Path | None) -> dict[str, Tensor]:
    """Return the state dict of a model's pretrained weights, on the CPU.

    Raises DataError if the file is missing or is not the published one.
    """
    weights = model_of(model).weights_file()
    if weights is None:
        raise InputError(f"model {model}: there are no pretrained weights; set `pretrained: false`")
    fix = (
        f"`noisebench prepare SPEC --data DIR` fetches {weights.url} where there is internet; "
        "`training: {pretrained: false}` starts from random weights, which is another trial"
    )
    if data_dir is None:
        raise DataError(f"{model} is pretrained, and needs DIR/{weights.path}: name DIR with --data; {fix}")
    try:
        return _load(data_dir, weights)
    except DataError as error:
        raise DataError(f"{error}; {fix}") from None


@lru_cache(maxsize=1)
def _load(data_dir: Path, file: DataFile) -> dict[str, Tensor]:
    return _unpacked(read_verified(data_dir, file.path, file.content), data_dir / file.path)


def _unpacked(content: bytes, path: Path) -> dict[str, Tensor]:
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)  # type: ignore[no-any-return]
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise DataError(f"{path}: no weights ({str(error).splitlines()[0]})") from None
