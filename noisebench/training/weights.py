"""Pretrained weights, read from the data folder or from a user's file."""

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
from noisebench.sweep.reference import content_of_file
from noisebench.sweep.trial import Training


def initial_state(training: Training, data_dir: Path | None) -> dict[str, Tensor] | None:
    """Return the state dict that a training starts from, on the CPU; None for random weights.

    Raises DataError if the file is missing, is not the one that the trial names, or has no state dict.
    """
    if training.weights is not None:
        return user_state(Path(training.weights), training.weights_content)
    return pretrained_state(training.model, data_dir) if training.pretrained else None


@lru_cache(maxsize=1)
def user_state(path: Path, expected: str | None) -> dict[str, Tensor]:
    """Return the state dict in a user's file, whose content must have the hash `expected`; else DataError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if content_of_file(content) != expected:
        raise DataError(
            f"{path}: was changed after the sweep was read; restore the file, or run the sweep's YAML again, "
            "which makes new trials"
        )
    state = _unpacked(content, path)
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise DataError(
            f"{path}: holds no state dict, which has a tensor for each name; write one with "
            "torch.save(model.state_dict(), FILE)"
        )
    return state


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
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise DataError(f"{path}: no weights ({(str(error).splitlines() or [''])[0]})") from None
