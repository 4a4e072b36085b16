"""The files that data sets and pretrained weights are read from, with their checksums and sources."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Content:
    """The expected bytes of a file: how many, with their checksum, "md5:..." or "sha256:...".

    `partly_known`: `size` is the most that the file may hold, and the checksum only begins so.
    """

    size: int
    checksum: str
    partly_known: bool = False

    def mismatch(self, data: bytes) -> str | None:
        """Return how `data` differs from this content, None where it is the same."""
        if len(data) > self.size or (len(data) < self.size and not self.partly_known):
            most = "at most " if self.partly_known else ""
            return f"it holds {_counted(len(data), self.size)} bytes, expected {most}{self.size}"
        algorithm, expected = self.checksum.split(":")
        seen = hashlib.new(algorithm, data).hexdigest()
        rest = "..." if self.partly_known else ""
        return None if seen.startswith(expected) else f"its {algorithm} is {seen}, expected {expected}{rest}"


@dataclass(frozen=True)
class Archive:
    """A tar archive by address, content and the member that is wanted."""

    url: str
    content: Content
    member: str


@dataclass(frozen=True)
class DataFile:
    """A file inside the data folder, with its source: the address of the file itself, or an archive.

    `unpacked` is the path and content of another form of the file that is equally valid.
    """

    path: str
    content: Content
    source: str | Archive
    unpacked: tuple[str, Content] | None = None

    @property
    def url(self) -> str:
        """The address to download."""
        return self.source if isinstance(self.source, str) else self.source.url

    @property
    def download(self) -> Content:
        """The expected content at `url`."""
        return self.content if isinstance(self.source, str) else self.source.content


# Checksums and addresses of MNIST, Fashion-MNIST and CIFAR are those in torchvision's source.
_MNIST_ADDRESS = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION_ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_CIFAR_10_ARCHIVE = (
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    Content(170_498_071, "md5:c58f30108f718f92721af3b95e74349a"),
)
_CIFAR_100_ARCHIVE = (
    "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    Content(169_001_437, "md5:eb9058c3a382ffc7106e4002c42a8d85"),
)
_HUMAN_ADDRESS = "https://github.com/UCSC-REAL/cifar-10-100n/raw/main/data/"
_VERDICTS_ADDRESS = "https://github.com/cleanlab/label-errors/raw/main/"
# Bytes of the four IDX files, unpacked.
_IDX_SIZES = {
    "train-images-idx3-ubyte": 47_040_016,
    "train-labels-idx1-ubyte": 60_008,
    "t10k-images-idx3-ubyte": 7_840_016,
    "t10k-labels-idx1-ubyte": 10_008,
}


def _idx(folder: str, address: str, packed: dict[str, Content], md5s: list[str]) -> tuple[DataFile, ...]:
    return tuple(
        DataFile(
            f"{folder}/raw/{name}.gz",
            content,
            f"{address}{name}.gz",
            (f"{folder}/raw/{name}", Content(_IDX_SIZES[name], f"md5:{md5}")),
        )
        for (name, content), md5 in zip(packed.items(), md5s, strict=True)
    )


def _batches(folder: str, archive: tuple[str, Content], contents: dict[str, Content]) -> tuple[DataFile, ...]:
    return tuple(
        DataFile(f"{folder}/{name}", content, Archive(*archive, member=f"{folder}/{name}"))
        for name, content in contents.items()
    )


MNIST = _idx(
    "MNIST",
    _MNIST_ADDRESS,
    {
        "train-images-idx3-ubyte": Content(9_912_422, "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        "train-labels-idx1-ubyte": Content(28_881, "md5:d53e105ee54ea40749a09fcbcd1e9432"),
        "t10k-images-idx3-ubyte": Content(1_648_877, "md5:9fb629c4189551a2d022fa330f9573f3"),
        "t10k-labels-idx1-ubyte": Content(4_542, "md5:ec29112dd5afa0611ce80d1b7f02629c"),
    },
    [
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ],
)
FASHION_MNIST = _idx(
    "FashionMNIST",
    _FASHION_ADDRESS,
    {
        "train-images-idx3-ubyte": Content(26_421_880, "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        "train-labels-idx1-ubyte": Content(29_515, "md5:25c81989df183df01b3e8a0aad5dffbe"),
        "t10k-images-idx3-ubyte": Content(4_422_102, "md5:bef4ecab320f06d8554ea6380940ec79"),
        "t10k-labels-idx1-ubyte": Content(5_148, "md5:bb300cfdad3c16e7a12a480ee83cd310"),
    },
    [
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ],
)
CIFAR_10 = _batches(
    "cifar-10-batches-py",
    _CIFAR_10_ARCHIVE,
    {
        "data_batch_1": Content(31_035_704, "md5:c99cafc152244af753f735de768cd75f"),
        "data_batch_2": Content(31_035_320, "md5:d4bba439e000b95fd0a9bffe97cbabec"),
        "data_batch_3": Content(31_035_999, "md5:54ebc095f3ab1f0389bbae665268c751"),
        "data_batch_4": Content(31_035_696, "md5:634d18415352ddfa80567beed471001a"),
        "data_batch_5": Content(31_035_623, "md5:482c414d41f54cd18b22e5b47cb7c3cb"),
        "test_batch": Content(31_035_526, "md5:40351d587109b95175f43aff81a1287e"),
    },
)
CIFAR_100 = _batches(
    "cifar-100-python",
    _CIFAR_100_ARCHIVE,
    {
        "train": Content(155_249_918, "md5:16019d7e3df5f24257cddd939b257f8d"),
        "test": Content(31_049_918, "md5:f0ef6b0ae62326f3e7ffdfab6717acfc"),
    },
)
CIFAR_10_HUMAN = DataFile(
    "cifar-n/CIFAR-10_human.pt",
    Content(2_401_007, "md5:96644db5574813cae939af5f7f2a0aec"),
    _HUMAN_ADDRESS + "CIFAR-10_human.pt",
)
CIFAR_100_HUMAN = DataFile(
    "cifar-n/CIFAR-100_human.pt",
    Content(1_000_959, "md5:a67b45c1d7992051865b5c755bd68bb1"),
    _HUMAN_ADDRESS + "CIFAR-100_human.pt",
)
CIFAR_100_VERDICTS = (
    DataFile(
        "cifar-100-cleaned/cifar100_mturk.json",
        Content(730_027, "md5:3db3b8d09dab272e250834d6fdea145d"),
        _VERDICTS_ADDRESS + "mturk/cifar100_mturk.json",
    ),
    DataFile(
        "cifar-100-cleaned/cifar100_test_set_original_labels.npy",
        Content(20_128, "md5:dd8ba88fb8da15b4e4f41fff4187a96a"),
        _VERDICTS_ADDRESS + "original_test_labels/cifar100_test_set_original_labels.npy",
    ),
)
# torchvision's ResNet34_Weights.IMAGENET1K_V1.
RESNET_34 = DataFile(
    "weights/resnet34-b627a593.pth",
    Content(87_319_819, "sha256:b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f"),
    "https://download.pytorch.org/models/resnet34-b627a593.pth",
)


def _counted(length: int, expected: int) -> str:
    return f"more than {expected}" if length > expected else str(length)
