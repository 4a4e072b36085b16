"""CIFAR files: the Python pickles, human labels (CIFAR-N), the cleaned CIFAR-100 test set."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noisebench.data.files import read_verified
from noisebench.errors import DataError

Labels = npt.NDArray[np.int64]

# The only globals that the published pickles use.
_ALLOWED_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
# An image of the CIFAR-100 test set is kept if at least this many of five annotators agree with its label.
VOTES_TO_KEEP = 3


def read_batches(data_dir: Path, paths: list[str], label_key: str, classes: int) -> tuple[Tensor, Labels]:
    """Return images uint8 [N, 3, 32, 32] and labels int64 [N] of the pickles at `paths`, in order.

    Raises DataError if a file is not the published one; such a file is not unpickled.
    """
    batches = [
        parse_batch(read_verified(data_dir, path), data_dir / path, label_key, classes) for path in paths
    ]
    images, labels = zip(*batches, strict=True)
    return torch.from_numpy(np.concatenate(images)), np.concatenate(labels)


def parse_batch(
    content: bytes, path: Path, label_key: str, classes: int
) -> tuple[npt.NDArray[np.uint8], Labels]:
    """Return the images uint8 [N, 3, 32, 32] and labels int64 [N] of one pickle; `path` is for messages.

    `content` must be verified before: even a pickle of arrays can crash the interpreter.
    """
    batch = _unpickle(content, path)
    try:
        pixels, labels = np.asarray(batch["data"]), np.asarray(batch[label_key], dtype=np.int64)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: no CIFAR batch with `data` and `{label_key}` ({error})") from None
    if pixels.dtype != np.uint8 or pixels.shape != (len(labels), 3072):
        raise DataError(
            f"{path}: data is {pixels.dtype} {list(pixels.shape)}, must be uint8 [{len(labels)}, 3072]"
        )
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= classes:
        raise DataError(
            f"{path}: labels run from {labels.min()} to {labels.max()}, must lie in 0..{classes - 1}"
        )
    return pixels.reshape(-1, 3, 32, 32), labels


def read_human_labels(data_dir: Path, path: str, key: str, clean: Labels) -> Labels:
    """Return human labels int64 [N] for a training set whose true labels are `clean` [N].

    `key` names one of the file's sets of labels. Raises DataError if the file is not the published one, or
    not in the order of `clean`.
    """
    numpy_types: list[Any] = [
        (np._core.multiarray._reconstruct, "numpy.core.multiarray._reconstruct"),  # type: ignore[attr-defined]
        np.ndarray,
        np.dtype,
        type(np.dtype("int64")),
    ]
    content = read_verified(data_dir, path)
    try:
        with torch.serialization.safe_globals(numpy_types):
            columns = torch.load(io.BytesIO(content), weights_only=True)
        clean_in_file, human = np.asarray(columns["clean_label"]), np.asarray(columns[key])
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, KeyError, TypeError) as error:
        raise DataError(
            f"{data_dir / path}: no label file of CIFAR-N ({str(error).splitlines()[0]})"
        ) from None
    if not np.array_equal(clean_in_file, clean):
        raise DataError(
            f"{data_dir / path}: its clean labels are not those of the training set, or not in the same order"
        )
    return human.astype(np.int64)


def kept_test_images(folder: Path, labels: Labels) -> npt.NDArray[np.int64]:
    """Return the indices of CIFAR-100 test images with confirmed labels (9,415 of 10,000).

    An image is removed if fewer than three of five voted for its label (P2, Table 3; votes of Northcutt
    et al. 2021). `labels` [10000] are the labels of the test set, and must match those in `folder`.
    """
    votes_path, labels_path = folder / "cifar100_mturk.json", folder / "cifar100_test_set_original_labels.npy"
    try:
        votes = json.loads(votes_path.read_text())
        original = np.load(labels_path, allow_pickle=False)
        removed = [entry["id"] for entry in votes if entry["mturk"]["given"] < VOTES_TO_KEEP]
    except FileNotFoundError as error:
        raise DataError(f"{error.filename}: missing; CIFAR-100-cleaned-test is made with it") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise DataError(f"{folder}: the verdicts on CIFAR-100's test set are damaged ({error})") from None
    if not np.array_equal(original, labels):
        raise DataError(f"{labels_path}: these are not the labels of the test set, or not in the same order")
    return np.setdiff1d(np.arange(len(labels)), removed)


class _NumpyUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED_GLOBALS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no CIFAR file needs")
        return super().find_class(module, name)


def _unpickle(content: bytes, path: Path) -> Any:
    try:
        return _NumpyUnpickler(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # a damaged pickle can raise almost any exception
        raise DataError(f"{path}: damaged, or no CIFAR pickle ({error})") from None
