"""The data sets that a sweep can name.

An implementation is `(data_dir, **options) -> Dataset`, see `noisebench.data.datasets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from noisebench.catalogue import confusions, files
from noisebench.catalogue.descriptor import Descriptor, by_name
from noisebench.catalogue.files import DataFile
from noisebench.catalogue.parameters import REQUIRED, Parameter, flag, integer, text
from noisebench.catalogue.training import (
    CIFAR_10_RECIPE,
    CIFAR_100_RECIPE,
    DIGITS_RECIPE,
    MNIST_RECIPE,
    Recipe,
)

_SUBSET: Mapping[str, Parameter] = {"samples": integer(None, 10, optional=True)}


@dataclass(frozen=True, kw_only=True)
class DatasetDescriptor(Descriptor):
    """A data set, as far as known without reading it.

    `samples` counts those that a detector judges, `shape` is (channels, height, width). `options` are passed
    to the implementation, which reads `files`. `human`: its given labels are those of people.
    `training_samples` is the size of a separate training part, which makes folds unnecessary. `confusions`
    maps a class to the one it is mistaken for (`corruption: {kind: asymmetric, map: standard}`).
    """

    samples: int
    test_samples: int
    shape: tuple[int, int, int]
    classes: int
    recipe: Recipe
    options: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[DataFile, ...] = ()
    human: bool = False
    training_samples: int | None = None
    confusions: Mapping[int, int] | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=lambda: _SUBSET)


_MNIST = DatasetDescriptor(
    name="MNIST",
    implementation="noisebench.data.datasets:mnist",
    options={"folder": "MNIST"},
    samples=60_000,
    test_samples=10_000,
    shape=(1, 28, 28),
    classes=10,
    recipe=MNIST_RECIPE,
    files=files.MNIST,
    confusions=confusions.MNIST,
    source="LeCun et al. 1998",
)
_CIFAR_10 = DatasetDescriptor(
    name="CIFAR-10",
    implementation="noisebench.data.datasets:cifar_10",
    samples=50_000,
    test_samples=10_000,
    shape=(3, 32, 32),
    classes=10,
    recipe=CIFAR_10_RECIPE,
    files=files.CIFAR_10,
    confusions=confusions.CIFAR_10,
    source="Krizhevsky 2009",
)
_CIFAR_100 = replace(
    _CIFAR_10,
    name="CIFAR-100",
    implementation="noisebench.data.datasets:cifar_100",
    classes=100,
    recipe=CIFAR_100_RECIPE,
    files=files.CIFAR_100,
    confusions=confusions.CIFAR_100,
)


def _human(base: DatasetDescriptor, name: str, key: str, labels: DataFile) -> DatasetDescriptor:
    """Describe a CIFAR data set with human labels: those under `key` in the file `labels`."""
    return replace(
        base,
        name=name,
        implementation=base.implementation + "_human",
        options={"key": key, "name": name},
        files=(*base.files, labels),
        human=True,
        confusions=None,
        source="Wei et al. 2022",
    )


DATASETS = by_name(
    DatasetDescriptor(
        name="digits",
        implementation="noisebench.data.datasets:digits",
        samples=1_797,
        test_samples=0,
        shape=(1, 8, 8),
        classes=10,
        recipe=DIGITS_RECIPE,
        source="scikit-learn (UCI Optical Recognition)",
    ),
    _MNIST,
    replace(
        _MNIST,
        name="Fashion-MNIST",
        options={"folder": "FashionMNIST"},
        files=files.FASHION_MNIST,
        confusions=None,
        source="Xiao et al. 2017",
    ),
    _CIFAR_10,
    _CIFAR_100,
    _human(_CIFAR_10, "CIFAR-10N-aggregate", "aggre_label", files.CIFAR_10_HUMAN),
    _human(_CIFAR_10, "CIFAR-10N-worst", "worse_label", files.CIFAR_10_HUMAN),
    _human(_CIFAR_10, "CIFAR-10N-random1", "random_label1", files.CIFAR_10_HUMAN),
    _human(_CIFAR_10, "CIFAR-10N-random2", "random_label2", files.CIFAR_10_HUMAN),
    _human(_CIFAR_10, "CIFAR-10N-random3", "random_label3", files.CIFAR_10_HUMAN),
    _human(_CIFAR_100, "CIFAR-100N", "noisy_label", files.CIFAR_100_HUMAN),
    replace(
        _CIFAR_100,
        name="CIFAR-100-cleaned-test",
        implementation="noisebench.data.datasets:cifar_100_cleaned_test",
        samples=9_415,
        test_samples=0,
        training_samples=50_000,
        recipe=replace(CIFAR_100_RECIPE, folds=None),
        files=(*files.CIFAR_100, *files.CIFAR_100_VERDICTS),
        confusions=None,
        parameters={"corrupt_training": flag(True)},
        source="Northcutt et al. 2021",
    ),
)

# A folder of images with one sub-folder for each class, written {folder: PATH}. Its size is unknown until it
# is read: the numbers here are for estimates of cost.
FOLDER = DatasetDescriptor(
    name="folder",
    implementation="noisebench.data.datasets:folder",
    samples=10_000,
    test_samples=0,
    shape=(1, 28, 28),
    classes=10,
    recipe=DIGITS_RECIPE,
    parameters={
        "path": Parameter("text"),
        "height": integer(32, 8),
        "width": integer(32, 8),
        "channels": integer(3, 1, 3),
    },
)

# Data that `noisebench detect` keeps in the results folder, written {own-data: CONTENT}, where CONTENT is the
# hash of samples and labels. Features have D channels of 1 x 1.
OWN = DatasetDescriptor(
    name="own-data",
    implementation="noisebench.data.own.cache:read",
    samples=10_000,
    test_samples=0,
    shape=(1, 28, 28),
    classes=10,
    recipe=DIGITS_RECIPE,
    parameters={
        "content": text(REQUIRED, pattern="[0-9a-f]{16}", right="16 hex digits"),
        "samples": integer(REQUIRED, 1),
        "channels": integer(REQUIRED, 1),
        "height": integer(REQUIRED, 1),
        "width": integer(REQUIRED, 1),
    },
)


def dataset(name: str) -> DatasetDescriptor:
    """Return the descriptor of a data set; a user's data set has that of a folder of images."""
    return OWN if name == OWN.name else DATASETS.get(name, FOLDER)
