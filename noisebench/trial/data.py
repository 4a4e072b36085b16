"""Data sets as arrays: the only place that reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from noisebench.errors import DataError
from noisebench.spec import reference
from noisebench.spec.identity import canonical_json
from noisebench.spec.trial import Component
from noisebench.trial.idx import read_idx

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LabelledImages:
    """Images uint8 [N, C, H, W] with their true labels int64 [N]."""

    images: torch.Tensor
    labels: Labels

    def first(self, indices: npt.NDArray[np.int64]) -> LabelledImages:
        """Return the samples at `indices`, in that order."""
        return LabelledImages(self.images[torch.from_numpy(indices)], self.labels[indices])


@dataclass(frozen=True)
class Dataset:
    """A data set in memory; `test` is None where it has no test part."""

    train: LabelledImages
    test: LabelledImages | None
    classes: int


def load_dataset(dataset: Component, data_dir: Path | None) -> Dataset:
    """Return the data set of a trial, kept in memory for the next trial of this process.

    Raises DataError where its files are missing or damaged.
    """
    return _load(canonical_json(dataset.as_fields()), data_dir)


@lru_cache(maxsize=2)
def _load(fields: str, data_dir: Path | None) -> Dataset:
    dataset = Component.from_fields(json.loads(fields))
    if reference.is_reference(dataset.name):
        return _from_function(dataset, data_dir)
    whole = _READERS[dataset.name](data_dir)
    samples = dataset.get("samples")
    return whole if samples is None else _subset(whole, samples)


def _subset(whole: Dataset, samples: int) -> Dataset:
    """Keep a random `samples` of the training part, at most as many of the test part.

    The draw is the same for every trial, so that seeds differ in what the trial's seed says alone.
    """
    rng = np.random.default_rng(0)
    train = np.sort(rng.permutation(len(whole.train.labels))[:samples])
    if whole.test is None:
        return replace(whole, train=whole.train.first(train))
    test = np.sort(rng.permutation(len(whole.test.labels))[:samples])
    return replace(whole, train=whole.train.first(train), test=whole.test.first(test))


def _digits(_: Path | None) -> Dataset:
    """scikit-learn's handwritten digits (UCI Optical Recognition): 0..16 stretched to 0..255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
    train = LabelledImages(torch.from_numpy(pixels)[:, None], digits.target.astype(np.int64))
    return Dataset(train, None, 10)


def _mnist_like(folder: str) -> Callable[[Path | None], Dataset]:
    """A reader of `DIR/<folder>/raw`, torchvision's layout."""

    def read(data_dir: Path | None) -> Dataset:
        raw = _existing(data_dir, folder)
        return Dataset(_idx_part(raw, "train"), _idx_part(raw, "t10k"), 10)

    return read


def _idx_part(raw: Path, part: str) -> LabelledImages:
    # Not through torchvision.datasets, which would have to unpack the files where they lie, and that
    # may be a folder that is shared and read-only.
    image_path, label_path = raw / f"{part}-images-idx3-ubyte", raw / f"{part}-labels-idx1-ubyte"
    images, labels = read_idx(image_path), read_idx(label_path)
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise DataError(f"{image_path} holds {list(images.shape)}, but {label_path.name} {list(labels.shape)}")
    if labels.max() > 9:
        raise DataError(f"{label_path}: labels reach {labels.max()}, must lie in 0..9")
    return LabelledImages(torch.from_numpy(images.copy())[:, None], labels.astype(np.int64))


def _existing(data_dir: Path | None, folder: str) -> Path:
    if data_dir is None:
        raise DataError(f"{folder} needs its files: say where they are with --data DIR (expected: DIR/{folder}/raw)")
    raw = data_dir / folder / "raw"
    if not raw.is_dir():
        raise DataError(f"{raw} is missing: {folder} is read from there; is --data right?")
    return raw


def _from_function(dataset: Component, data_dir: Path | None) -> Dataset:
    """A user's own data set: `f(data_dir, ...) -> (images uint8 [N, C, H, W], labels int64 [N], classes)`."""
    found: Any = reference.load(dataset.name)(data_dir, **dataset.without("source"))
    try:
        images, labels, classes = found
        images, labels = torch.as_tensor(images), np.asarray(labels)
    except (TypeError, ValueError) as error:
        raise DataError(f"{dataset.name} must return (images, labels, classes): {error}") from error
    if images.dtype != torch.uint8 or images.dim() != 4:
        raise DataError(f"{dataset.name}: images are {images.dtype} {list(images.shape)}, must be uint8 [N, C, H, W]")
    if labels.dtype.kind != "i" or labels.shape != (len(images),):
        raise DataError(f"{dataset.name}: labels are {labels.dtype} {list(labels.shape)}, must be int64 [{len(images)}]")
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"{dataset.name}: labels reach from {labels.min()} to {labels.max()}, must lie in 0..{classes - 1}")
    return Dataset(LabelledImages(images, labels.astype(np.int64)), None, int(classes))


_READERS: dict[str, Callable[[Path | None], Dataset]] = {
    "digits": _digits,
    "MNIST": _mnist_like("MNIST"),
    "Fashion-MNIST": _mnist_like("FashionMNIST"),
}
