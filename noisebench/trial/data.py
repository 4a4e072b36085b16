"""Data sets as arrays: the only place that reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from noisebench.errors import DataError
from noisebench.science.vision import import_torchvision
from noisebench.spec import reference
from noisebench.spec.identity import canonical_json
from noisebench.spec.trial import Component

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
    import json

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


def _mnist_like(name: str) -> Callable[[Path | None], Dataset]:
    def read(data_dir: Path | None) -> Dataset:
        root = _existing(data_dir, name, f"{name}/raw")
        reader = getattr(import_torchvision().datasets, name)
        parts = []
        for train in (True, False):
            try:
                found = reader(str(root), train=train, download=False)
            except (RuntimeError, OSError, ValueError, EOFError) as error:
                part = "training" if train else "test"
                raise DataError(f"{root / name / 'raw'}: the {part} part of {name} cannot be read: {error}") from error
            parts.append(LabelledImages(found.data[:, None], found.targets.numpy().astype(np.int64)))
        return Dataset(parts[0], parts[1], 10)

    return read


def _existing(data_dir: Path | None, name: str, inside: str) -> Path:
    if data_dir is None:
        raise DataError(f"{name} needs its files: say where they are with --data DIR (expected: DIR/{inside})")
    if not (data_dir / inside).is_dir():
        raise DataError(f"{data_dir / inside} is missing: {name} is read from there; is --data right?")
    return data_dir


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
