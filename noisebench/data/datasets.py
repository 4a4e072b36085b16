"""Data sets as arrays, cached in memory."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from noisebench.catalogue import datasets as catalogue
from noisebench.catalogue.component import Component
from noisebench.data import cifar
from noisebench.data.files import read_verified
from noisebench.data.idx import idx_file, parse_idx
from noisebench.data.image_folder import read_image_folder
from noisebench.data.own import kept
from noisebench.errors import DataError
from noisebench.sweep import reference
from noisebench.sweep.identity import canonical_json
from noisebench.sweep.image_files import content_hash

Labels = npt.NDArray[np.int64]

# Parameters of a data set that are not arguments of its reader.
_NOT_OF_THE_READER = ("samples", "corrupt_training")


@dataclass(frozen=True)
class LabelledImages:
    """Images uint8 [N, C, H, W], or features float32 [N, D, 1, 1], with their true labels int64 [N]."""

    images: torch.Tensor
    labels: Labels

    def at(self, indices: npt.NDArray[np.int64]) -> LabelledImages:
        """Return the samples at `indices`, in that order."""
        return LabelledImages(self.images[torch.from_numpy(indices)], self.labels[indices])


@dataclass(frozen=True)
class Dataset:
    """A data set in memory.

    `judged`: the samples whose labels a detector judges, usually the training part. `training`: the training
    part, if it is separate. `human`: human labels of the judged samples [N]. `test`: clean samples that are
    never trained on. `groups` int64 [N]: judged samples with equal entries stay in one fold. The last four
    are None if the data set does not have them.
    """

    judged: LabelledImages
    classes: int
    test: LabelledImages | None = None
    training: LabelledImages | None = None
    human: Labels | None = None
    groups: Labels | None = None


def load_dataset(dataset: Component, data_dir: Path | None, own_data: Path | None = None) -> Dataset:
    """Return the data set of a trial, cached for later trials of this process.

    `own_data` is the folder of users' own data in the results folder. Raises DataError if files are missing
    or damaged.
    """
    folder = own_data if dataset.name == catalogue.OWN.name else data_dir
    return _load(canonical_json(dataset.as_fields()), folder)


@lru_cache(maxsize=2)
def _load(fields: str, data_dir: Path | None) -> Dataset:
    dataset = Component.from_fields(json.loads(fields))
    if reference.is_reference(dataset.name):
        return _from_function(dataset, data_dir)
    descriptor = catalogue.dataset(dataset.name)
    if dataset.name == catalogue.OWN.name:
        return _own(data_dir, dataset)
    parameters = dataset.without(*_NOT_OF_THE_READER)
    whole: Dataset = descriptor.load()(data_dir, **descriptor.options, **parameters)
    samples = dataset.get("samples")
    return whole if samples is None else _subset(whole, samples)


def _subset(whole: Dataset, samples: int) -> Dataset:
    """Return a random subset: `samples` of the judged part, at most as many of the test part.

    The draw does not depend on the trial, so trials with different seeds use the same samples.
    """
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.permutation(len(whole.judged.labels))[:samples])
    test = whole.test
    if test is not None:
        test = test.at(np.sort(rng.permutation(len(test.labels))[:samples]))
    human = None if whole.human is None else whole.human[chosen]
    return replace(whole, judged=whole.judged.at(chosen), test=test, human=human)


def folder(
    data_dir: Path | None, path: str, channels: int, height: int, width: int, content: str | None = None
) -> Dataset:
    """A user's folder of images at any path; `content` is the expected hash of its files."""
    del data_dir
    actual = content_hash(Path(path))
    if content is not None and actual is not None and actual != content:
        raise DataError(
            f"{path}: its images were changed after the sweep was read (their hash is {actual}, the trial "
            f"has {content}): restore them, or run the sweep's YAML again, which makes new trials"
        )
    images, labels, names = read_image_folder(Path(path), channels, height, width)
    return Dataset(LabelledImages(images, labels), len(names))


def _own(own_data: Path | None, dataset: Component) -> Dataset:
    """A user's own data, as `noisebench detect` keeps them: images, or features [N, D, 1, 1].

    Planted errors are read like human labels: the user's labels count as true, and `human` has the plants.
    """
    data = kept.read(own_data, dataset["content"])
    judged = LabelledImages(torch.from_numpy(data.values), data.labels)
    return Dataset(judged, data.classes, human=data.planted, groups=data.groups)


def digits(data_dir: Path | None) -> Dataset:
    """scikit-learn's handwritten digits (UCI Optical Recognition): 0..16 stretched to 0..255."""
    del data_dir
    from sklearn.datasets import load_digits

    loaded = load_digits()
    pixels = np.round(loaded.images * (255 / 16)).astype(np.uint8)
    return Dataset(LabelledImages(torch.from_numpy(pixels)[:, None], loaded.target.astype(np.int64)), 10)


def mnist(data_dir: Path | None, folder: str) -> Dataset:
    """MNIST or Fashion-MNIST from `DIR/<folder>/raw`, torchvision's layout."""
    raw = _existing(data_dir, f"{folder}/raw", folder)
    return Dataset(_idx_part(raw, "train"), 10, _idx_part(raw, "t10k"))


def _idx_part(raw: Path, part: str) -> LabelledImages:
    # Not with torchvision.datasets, which would unpack the files in their folder, and the folder may be
    # shared and read-only.
    image_path, label_path = raw / f"{part}-images-idx3-ubyte", raw / f"{part}-labels-idx1-ubyte"
    images, labels = _verified_idx(image_path), _verified_idx(label_path)
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise DataError(
            f"{image_path} holds {list(images.shape)}, but {label_path.name} {list(labels.shape)}"
        )
    if labels.max(initial=0) > 9:
        raise DataError(f"{label_path}: labels reach {labels.max()}, must lie in 0..9")
    return LabelledImages(torch.from_numpy(images.copy())[:, None], labels.astype(np.int64))


def _verified_idx(path: Path) -> npt.NDArray[np.uint8]:
    source, data_dir = idx_file(path), path.parents[2]
    inside = source.relative_to(data_dir).as_posix()
    return parse_idx(source, io.BytesIO(read_verified(data_dir, inside)))


def cifar_10(data_dir: Path | None) -> Dataset:
    """CIFAR-10 from its Python pickles."""
    # Not with torchvision.datasets, which unpickles without restriction.
    name = "cifar-10-batches-py"
    folder = _existing(data_dir, name, "CIFAR-10").parent
    batches = [f"{name}/data_batch_{number}" for number in range(1, 6)]
    judged = LabelledImages(*cifar.read_batches(folder, batches, "labels", 10))
    test = cifar.read_batches(folder, [f"{name}/test_batch"], "labels", 10)
    return Dataset(judged, 10, LabelledImages(*test))


def cifar_100(data_dir: Path | None) -> Dataset:
    """CIFAR-100 from its Python pickles, with the fine labels."""
    name = "cifar-100-python"
    folder = _existing(data_dir, name, "CIFAR-100").parent
    judged = LabelledImages(*cifar.read_batches(folder, [f"{name}/train"], "fine_labels", 100))
    test = cifar.read_batches(folder, [f"{name}/test"], "fine_labels", 100)
    return Dataset(judged, 100, LabelledImages(*test))


def cifar_10_human(data_dir: Path | None, key: str, name: str) -> Dataset:
    """CIFAR-10 with human labels, those under `key` of their file."""
    return _with_human_labels(cifar_10(data_dir), data_dir, "CIFAR-10_human.pt", key, name)


def cifar_100_human(data_dir: Path | None, key: str, name: str) -> Dataset:
    """CIFAR-100 with human labels."""
    return _with_human_labels(cifar_100(data_dir), data_dir, "CIFAR-100_human.pt", key, name)


def _with_human_labels(clean: Dataset, data_dir: Path | None, file: str, key: str, name: str) -> Dataset:
    folder = _existing(data_dir, "cifar-n", name).parent
    human = cifar.read_human_labels(folder, f"cifar-n/{file}", key, clean.judged.labels)
    return replace(clean, human=human)


def cifar_100_cleaned_test(data_dir: Path | None) -> Dataset:
    """The CIFAR-100 test images with labels confirmed by annotators; trained on the training set."""
    whole = cifar_100(data_dir)
    assert whole.test is not None
    folder = _existing(data_dir, "cifar-100-cleaned", "CIFAR-100-cleaned-test")
    confirmed = cifar.kept_test_images(folder, whole.test.labels)
    return Dataset(whole.test.at(confirmed), 100, training=whole.judged)


def _existing(data_dir: Path | None, inside: str, name: str) -> Path:
    if data_dir is None:
        raise DataError(
            f"{name} needs its files: say where they are with --data DIR (expected: DIR/{inside})"
        )
    folder = data_dir / inside
    if not folder.is_dir():
        raise DataError(f"{folder} is missing: {name} is read from there; is --data right?")
    return folder


def _from_function(dataset: Component, data_dir: Path | None) -> Dataset:
    """A user's data set: `f(data_dir, ...) -> (images uint8 [N, C, H, W], labels int64 [N], classes)`."""
    read = reference.load(dataset.name, dataset.get("source"))
    returned: Any = read(data_dir, **dataset.without("source"))
    try:
        images, labels, classes = returned
        images, labels = torch.as_tensor(images), np.asarray(labels)
    except (TypeError, ValueError) as error:
        raise DataError(f"{dataset.name} must return (images, labels, classes): {error}") from error
    if images.dtype != torch.uint8 or images.dim() != 4:
        raise DataError(
            f"{dataset.name}: images are {images.dtype} {list(images.shape)}, must be uint8 [N, C, H, W]"
        )
    if labels.dtype.kind != "i" or labels.shape != (len(images),):
        raise DataError(
            f"{dataset.name}: labels are {labels.dtype} {list(labels.shape)}, must be int64 [{len(images)}]"
        )
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= classes:
        raise DataError(
            f"{dataset.name}: labels reach from {labels.min()} to {labels.max()}, must be in 0..{classes - 1}"
        )
    return Dataset(LabelledImages(images, labels.astype(np.int64)), int(classes))
