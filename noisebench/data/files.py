"""The files that data sets and pretrained weights are read from, with their checksums and sources."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from noisebench.errors import DataError
from noisebench.sweep.trial import Trial


@dataclass(frozen=True)
class Source:
    """Where a file comes from: an address, with the member of the archive where it gives one."""

    url: str
    member: str | None = None


@dataclass(frozen=True)
class DataFile:
    """A file inside the data folder; `checksum` is "md5:..." or "sha256:..." (of the latter a beginning).

    `unpacked` names another form of it that serves as well, with its own checksum.
    """

    path: str
    checksum: str
    source: Source
    unpacked: tuple[str, str] | None = None


# Checksums and addresses of MNIST, Fashion-MNIST and CIFAR are those in torchvision's source.
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_CIFAR_10 = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
_CIFAR_100 = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
_HUMAN = "https://github.com/UCSC-REAL/cifar-10-100n/raw/main/data/"
_VERDICTS = "https://github.com/cleanlab/label-errors/raw/main/"


def _idx(folder: str, address: str, checksums: dict[str, tuple[str, str]]) -> tuple[DataFile, ...]:
    return tuple(
        DataFile(
            f"{folder}/raw/{name}.gz",
            f"md5:{packed}",
            Source(f"{address}{name}.gz"),
            (f"{folder}/raw/{name}", f"md5:{plain}"),
        )
        for name, (packed, plain) in checksums.items()
    )


def _batches(folder: str, archive: str, checksums: dict[str, str]) -> tuple[DataFile, ...]:
    return tuple(
        DataFile(f"{folder}/{name}", f"md5:{checksum}", Source(archive, f"{folder}/{name}"))
        for name, checksum in checksums.items()
    )


_MNIST_FILES = _idx(
    "MNIST",
    _MNIST,
    {
        "train-images-idx3-ubyte": ("f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"),
        "train-labels-idx1-ubyte": ("d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"),
        "t10k-images-idx3-ubyte": ("9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"),
        "t10k-labels-idx1-ubyte": ("ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"),
    },
)
_FASHION_FILES = _idx(
    "FashionMNIST",
    _FASHION,
    {
        "train-images-idx3-ubyte": ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
        "train-labels-idx1-ubyte": ("25c81989df183df01b3e8a0aad5dffbe", "9018921c3c673c538a1fc5bad174d6f9"),
        "t10k-images-idx3-ubyte": ("bef4ecab320f06d8554ea6380940ec79", "8181f5470baa50b63fa0f6fddb340f0a"),
        "t10k-labels-idx1-ubyte": ("bb300cfdad3c16e7a12a480ee83cd310", "15d484375f8d13e6eb1aabb0c3f46965"),
    },
)
_CIFAR_10_FILES = _batches(
    "cifar-10-batches-py",
    _CIFAR_10,
    {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
)
_CIFAR_100_FILES = _batches(
    "cifar-100-python",
    _CIFAR_100,
    {"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
)
_HUMAN_10 = DataFile(
    "cifar-n/CIFAR-10_human.pt",
    "md5:96644db5574813cae939af5f7f2a0aec",
    Source(_HUMAN + "CIFAR-10_human.pt"),
)
_HUMAN_100 = DataFile(
    "cifar-n/CIFAR-100_human.pt",
    "md5:a67b45c1d7992051865b5c755bd68bb1",
    Source(_HUMAN + "CIFAR-100_human.pt"),
)
_VERDICT_FILES = (
    DataFile(
        "cifar-100-cleaned/cifar100_mturk.json",
        "md5:3db3b8d09dab272e250834d6fdea145d",
        Source(_VERDICTS + "mturk/cifar100_mturk.json"),
    ),
    DataFile(
        "cifar-100-cleaned/cifar100_test_set_original_labels.npy",
        "md5:dd8ba88fb8da15b4e4f41fff4187a96a",
        Source(_VERDICTS + "original_test_labels/cifar100_test_set_original_labels.npy"),
    ),
)
_RESNET_34 = DataFile(
    "weights/resnet34-b627a593.pth",
    "sha256:b627a593",
    Source("https://download.pytorch.org/models/resnet34-b627a593.pth"),
)

_BY_DATASET: dict[str, tuple[DataFile, ...]] = {
    "MNIST": _MNIST_FILES,
    "Fashion-MNIST": _FASHION_FILES,
    "CIFAR-10": _CIFAR_10_FILES,
    "CIFAR-100": _CIFAR_100_FILES,
    "CIFAR-100N": (*_CIFAR_100_FILES, _HUMAN_100),
    "CIFAR-100-cleaned-test": (*_CIFAR_100_FILES, *_VERDICT_FILES),
    **{
        f"CIFAR-10N-{variant}": (*_CIFAR_10_FILES, _HUMAN_10)
        for variant in ("aggregate", "worst", "random1", "random2", "random3")
    },
}


def needed_files(trials: Iterable[Trial]) -> list[DataFile]:
    """Return the files that trials read, each once, in a fixed order."""
    names = {trial.dataset.name for trial in trials}
    pretrained = any(trial.training.pretrained for trial in trials)
    found = [file for name in sorted(names) for file in _BY_DATASET.get(name, ())]
    return list(dict.fromkeys([*found, *([_RESNET_34] if pretrained else [])]))


def problem(file: DataFile, data_dir: Path) -> str | None:
    """Return what is wrong with a file under `data_dir`, None where it is whole."""
    forms = [(file.path, file.checksum), *([file.unpacked] if file.unpacked else [])]
    present = [(data_dir / path, checksum) for path, checksum in forms if (data_dir / path).is_file()]
    if not present:
        return f"{data_dir / file.path}: missing (expected {file.checksum})"
    damaged = None
    for path, checksum in present:
        algorithm, expected = checksum.split(":")
        seen = _digest(path, algorithm, path.stat().st_mtime_ns)
        if seen.startswith(expected):
            return None
        damaged = f"{path}: damaged: its {algorithm} is {seen}, expected {expected}"
    return damaged


def check_files(trials: Iterable[Trial], data_dir: Path | None) -> None:
    """Raise one DataError that names every missing or damaged file of these trials, before any is started."""
    needed = needed_files(list(trials))
    if not needed:
        return
    if data_dir is None:
        first = ", ".join(file.path for file in needed[:2])
        raise DataError(f"this sweep reads data files ({first}, ...): say where they are with --data DIR")
    problems = {file: found for file in needed if (found := problem(file, data_dir))}
    if problems:
        mends = [
            f"`noisebench prepare SPEC --data {data_dir}` fetches what is missing, where there is internet"
        ]
        if _RESNET_34 in problems:
            mends.append("`training: {pretrained: false}` starts from random weights, which is another trial")
        raise DataError("\n".join([*problems.values(), *mends]))


@lru_cache(maxsize=64)
def _digest(path: Path, algorithm: str, _modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
