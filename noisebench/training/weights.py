"""Pretrained weights, read from the data folder."""

import hashlib
import io
import pickle
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from noisebench.catalogue.models import TORCHVISION, model_of
from noisebench.data.files import read_verified
from noisebench.errors import DataError, InputError
from noisebench.science.vision import default_weights


def pretrained_state(model: str, data_dir: Path | None) -> dict[str, Tensor]:
    """Return the state dict of a model's pretrained weights, on the CPU.

    Raises DataError if the file is missing or is not the published one.
    """
    fix = (
        "`noisebench prepare SPEC --data DIR` fetches it where there is internet; "
        "`training: {pretrained: false}` starts from random weights, which is another trial"
    )
    if model.startswith(TORCHVISION):
        return _of_torchvision(model.removeprefix(TORCHVISION), data_dir)
    weights = model_of(model).weights
    if weights is None:
        raise InputError(f"model {model}: there are no pretrained weights; set `pretrained: false`")
    if data_dir is None:
        raise DataError(f"{model} is pretrained, and needs DIR/{weights.path}: name DIR with --data; {fix}")
    try:
        return _load(data_dir, weights.path)
    except DataError as error:
        raise DataError(f"{error}; {fix}") from None


@lru_cache(maxsize=1)
def _of_torchvision(name: str, data_dir: Path | None) -> dict[str, Tensor]:
    """Return torchvision's weights of a classifier from `DIR/weights`; the file's name has their hash."""
    address = default_weights(name)
    file = address.rsplit("/", 1)[-1]
    path = (data_dir or Path()) / "weights" / file
    if data_dir is None or not path.is_file():
        raise DataError(f"{path}: missing; fetch {address}, or set `pretrained: false`")
    content = path.read_bytes()
    expected = path.stem.rsplit("-", 1)[-1]
    seen = hashlib.sha256(content).hexdigest()
    if not seen.startswith(expected):
        raise DataError(f"{path}: not the published file: its sha256 is {seen}, expected {expected}...")
    return _unpacked(content, path)


@lru_cache(maxsize=1)
def _load(data_dir: Path, path: str) -> dict[str, Tensor]:
    return _unpacked(read_verified(data_dir, path), data_dir / path)


def _unpacked(content: bytes, path: Path) -> dict[str, Tensor]:
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)  # type: ignore[no-any-return]
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise DataError(f"{path}: no weights ({str(error).splitlines()[0]})") from None
