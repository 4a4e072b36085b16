"""Addresses and checksums match those of torchvision and of the data sets' authors."""

import gzip
import re
from pathlib import Path

import pytest

from noisebench.catalogue.datasets import DATASETS
from noisebench.catalogue.files import RESNET_34, Archive, DataFile
from noisebench.catalogue.models import MODELS
from noisebench.data.files import needed_files, problem
from noisebench.science.vision import import_torchvision, weights_file
from tests.trials import trial_of

LINKS = {
    "cifar-n/CIFAR-10_human.pt": "https://github.com/UCSC-REAL/cifar-10-100n/raw/main/data/CIFAR-10_human.pt",
    "cifar-n/CIFAR-100_human.pt": "https://github.com/UCSC-REAL/cifar-10-100n/raw/main/data/CIFAR-100_human.pt",
    "cifar-100-cleaned/cifar100_mturk.json": (
        "https://github.com/cleanlab/label-errors/raw/main/mturk/cifar100_mturk.json"
    ),
    "cifar-100-cleaned/cifar100_test_set_original_labels.npy": (
        "https://github.com/cleanlab/label-errors/raw/main/"
        "original_test_labels/cifar100_test_set_original_labels.npy"
    ),
}


def files_of(dataset: str, pretrained: bool = False) -> list[DataFile]:
    human = "corruption" if DATASETS[dataset].human else "rate"
    training = "{}" if pretrained else "{pretrained: false}"
    detector = "confident-learning" if dataset == "CIFAR-100-cleaned-test" else "none"
    corruption = {human: "human"} if human == "corruption" else {}
    return needed_files([trial_of(dataset=dataset, training=training, detector=detector, **corruption)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "name"), [("MNIST", "MNIST"), ("Fashion-MNIST", "FashionMNIST")], ids=["MNIST", "Fashion"]
)
def test_mnist_and_fashion_mnist_match_torchvision(dataset: str, name: str) -> None:
    theirs = getattr(import_torchvision().datasets, name)
    assert {
        (file.url.rsplit("/", 1)[0] + "/", Path(file.path).name, file.content.checksum)
        for file in files_of(dataset)
    } == {(theirs.mirrors[0], archive, f"md5:{md5}") for archive, md5 in theirs.resources}
    assert {file.path.split("/")[0] for file in files_of(dataset)} == {name}


@pytest.mark.parametrize(("dataset", "name"), [("CIFAR-10", "CIFAR10"), ("CIFAR-100", "CIFAR100")])
def test_cifar_matches_torchvision(dataset: str, name: str) -> None:
    theirs = getattr(import_torchvision().datasets, name)
    files = files_of(dataset)
    assert {(file.path, file.content.checksum) for file in files} == {
        (f"{theirs.base_folder}/{part}", f"md5:{md5}")
        for part, md5 in [*theirs.train_list, *theirs.test_list]
    }
    for file in files:
        assert isinstance(file.source, Archive)
        assert (file.source.url, file.source.member) == (theirs.url, file.path)
        assert file.download.checksum == f"md5:{theirs.tgz_md5}"


def test_weights_match_torchvision() -> None:
    weights = MODELS["resnet-34"].weights
    assert weights is not None
    assert weights in files_of("CIFAR-10", pretrained=True)
    url = import_torchvision().models.ResNet34_Weights.IMAGENET1K_V1.url
    assert weights.url == url
    assert weights.content.checksum.startswith("sha256:" + url.removesuffix(".pth").rsplit("-", 1)[1])


def test_every_classifier_of_torchvision_has_a_file_of_weights() -> None:
    models = import_torchvision().models
    for name in models.list_models(module=models):
        file = weights_file(name)
        algorithm, digits = file.content.checksum.split(":")
        assert algorithm == "sha256"
        assert re.fullmatch("[0-9a-f]{8,10}", digits), file
        assert file.url == models.get_model_weights(name).DEFAULT.url
        assert file.path == "weights/" + file.url.rsplit("/", 1)[1]
    # The one file whose size is known in full.
    assert 0 <= weights_file("resnet34").content.size - RESNET_34.content.size < 2000


def test_every_checksum_is_complete() -> None:
    digits = {"md5": 32, "sha256": 64}
    files = {file for dataset in DATASETS for file in files_of(dataset)} | {RESNET_34}
    for file in files:
        for content in (file.content, file.download, *(file.unpacked or ())[1:]):
            algorithm, digest = content.checksum.split(":")
            assert len(digest) == digits[algorithm]


@pytest.mark.parametrize("dataset", ["CIFAR-10N-worst", "CIFAR-100N", "CIFAR-100-cleaned-test"])
def test_human_labels_come_from_their_authors(dataset: str) -> None:
    linked = {file.path: file.url for file in files_of(dataset) if file.path in LINKS}
    assert linked
    assert linked.items() <= LINKS.items()


@pytest.mark.data
@pytest.mark.parametrize("dataset", DATASETS)
def test_real_files_have_the_checksums(dataset: str, real_data: Path) -> None:
    absent = ("cifar-10-batches-py", "cifar-100-python")  # archives, not available here
    files = [file for file in files_of(dataset) if not file.path.startswith(absent)]
    assert [problem(file, real_data) for file in files] == [None] * len(files)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("dataset", ["MNIST", "Fashion-MNIST"])
def test_unpacked_files_are_accepted(dataset: str, real_data: Path, tmp_path: Path) -> None:
    for file in files_of(dataset):
        assert file.unpacked is not None
        plain = tmp_path / file.unpacked[0]
        plain.parent.mkdir(parents=True, exist_ok=True)
        plain.write_bytes(gzip.decompress((real_data / file.path).read_bytes()))
        assert problem(file, tmp_path) is None
        plain.write_bytes(plain.read_bytes()[:-1])
        assert "damaged: it holds" in str(problem(file, tmp_path))
        plain.write_bytes(bytes(file.unpacked[1].size))
        assert "damaged: its md5 is" in str(problem(file, tmp_path))
