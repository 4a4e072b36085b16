"""Data sets are read unchanged, or refused with one message."""

import gzip
import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from noisebench.catalogue.component import Component
from noisebench.catalogue.datasets import DATASETS
from noisebench.catalogue.files import Content
from noisebench.data import files
from noisebench.data.datasets import load_dataset
from noisebench.errors import DataError
from noisebench.sweep.reference import source_hash


def named(name: str, **parameters: int | None) -> Component:
    return Component.of(name, **{"samples": None, **parameters})


@pytest.mark.slow
def test_digits_have_the_images_and_labels_of_scikit_learn() -> None:
    data = load_dataset(named("digits"), None)
    assert data.judged.images.shape == (1797, 1, 8, 8)
    assert data.judged.images.dtype == torch.uint8
    assert (int(data.judged.images.min()), int(data.judged.images.max())) == (0, 255)
    assert data.judged.labels.dtype == np.int64
    assert np.bincount(data.judged.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.test is None


def test_a_subset_is_the_same_for_every_trial() -> None:
    whole, part = load_dataset(named("digits"), None), load_dataset(named("digits", samples=300), None)
    again = load_dataset(named("digits", samples=300), None)
    assert len(part.judged.labels) == 300
    assert torch.equal(part.judged.images, again.judged.images)
    rows = {
        image.numpy().tobytes(): label
        for image, label in zip(whole.judged.images, whole.judged.labels, strict=True)
    }
    assert all(
        rows[image.numpy().tobytes()] == label
        for image, label in zip(part.judged.images, part.judged.labels, strict=True)
    )


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", ["MNIST", "Fashion-MNIST"])
def test_real_files_give_the_catalogues_shapes_and_classes(name: str, real_data: Path) -> None:
    data = load_dataset(named(name), real_data)
    entry = DATASETS[name]
    assert data.judged.images.shape == (entry.samples, *entry.shape)
    assert data.test is not None
    assert data.test.images.shape == (entry.test_samples, *entry.shape)
    assert set(data.judged.labels) == set(range(entry.classes))
    small = load_dataset(named(name, samples=500), real_data)
    assert small.test is not None
    assert (len(small.judged.labels), len(small.test.labels)) == (500, 500)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="MNIST needs its files: say where they are with --data DIR"):
        load_dataset(named("MNIST"), None)
    with pytest.raises(DataError, match=r"FashionMNIST/raw is missing: .* is --data right\?"):
        load_dataset(named("Fashion-MNIST"), tmp_path)


def publish(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the files of a folder with MNIST's layout be the published ones."""
    for path in (folder / "MNIST" / "raw").iterdir():
        data = path.read_bytes()
        content = Content(len(data), f"md5:{hashlib.md5(data).hexdigest()}")
        monkeypatch.setitem(files._KNOWN, f"MNIST/raw/{path.name}", content)


@pytest.fixture
def small_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MNIST's layout with eight images in each part, unpacked, as if they were the published files."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(
            bytes([0, 0, 8, 3, 0, 0, 0, 8, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(8 * 784)
        )
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 8, *range(8)]))
    publish(tmp_path, monkeypatch)
    return tmp_path


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
@pytest.mark.parametrize("packed", [True, False])
def test_forged_files_of_mnist_are_refused(tmp_path: Path, name: str, packed: bool) -> None:
    raw = tmp_path / name / "raw"
    raw.mkdir(parents=True)
    content = bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(784)
    path = raw / f"train-images-idx3-ubyte{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=rf"{path.name}: not the published file: it holds \d+ bytes"):
        load_dataset(named("MNIST" if name == "MNIST" else "Fashion-MNIST"), tmp_path)


def test_idx_files_with_and_without_gzip(small_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = small_mnist / "MNIST" / "raw"
    packed = raw / "train-labels-idx1-ubyte"
    packed.with_suffix(".gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    publish(small_mnist, monkeypatch)
    data = load_dataset(named("MNIST"), small_mnist)
    assert data.judged.images.shape == (8, 1, 28, 28)
    assert data.judged.labels.tolist() == list(range(8))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "train-images-idx3-ubyte",
            None,
            r"train-images-idx3-ubyte\.gz: missing; `noisebench prepare` fetches it",
        ),
        ("train-images-idx3-ubyte", b"", "no IDX file of unsigned bytes; it begins with nothing"),
        (
            "train-images-idx3-ubyte",
            b"<html>404</html>",
            "no IDX file of unsigned bytes; it begins with 3c68746d",
        ),
        ("train-images-idx3-ubyte", bytes([0, 0, 8, 3, 0, 0]), "truncated in its header, at 6 bytes"),
        (
            "t10k-labels-idx1-ubyte",
            bytes([0, 0, 8, 1, 0, 0, 0, 8, 1]),
            "holds 1 bytes after its header, which states 8",
        ),
        (
            "t10k-labels-idx1-ubyte",
            bytes([0, 0, 8, 1, 0, 0, 0, 1, 1]),
            r"holds \[8, 28, 28\], but t10k-labels-idx1-ubyte \[1\]",
        ),
        (
            "train-labels-idx1-ubyte",
            bytes([0, 0, 8, 1, 0, 0, 0, 8, *range(7), 12]),
            r"labels reach 12, must lie in 0\.\.9",
        ),
    ],
)
def test_damaged_idx_is_named(
    small_mnist: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | None, message: str
) -> None:
    path = small_mnist / "MNIST" / "raw" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
        publish(small_mnist, monkeypatch)
    with pytest.raises(DataError, match=message):
        load_dataset(named("MNIST"), small_mnist)


def test_an_idx_file_is_not_unpacked_beyond_its_size(
    small_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A megabyte of gzip can hold a gigabyte, so neither header nor content is trusted."""
    path = small_mnist / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    content = path.read_bytes()
    path.unlink()
    packed = path.with_suffix(".gz")
    longer = gzip.compress(content + bytes(10_000_000))
    untrue = gzip.compress(bytes([0, 0, 8, 1, 255, 255, 255, 255]) + bytes(10_000_000))
    packed.write_bytes(longer)
    publish(small_mnist, monkeypatch)
    tracemalloc.start()
    with pytest.raises(DataError, match="holds more than 8 bytes after its header, which states 8"):
        load_dataset(named("MNIST"), small_mnist)
    packed.write_bytes(untrue)
    publish(small_mnist, monkeypatch)
    with pytest.raises(DataError, match=r"its header states 4294967295 bytes, more than 67108864"):
        load_dataset(named("MNIST"), small_mnist)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.data
def test_truncated_download_is_named(tmp_path: Path, real_data: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (real_data / "MNIST" / "raw").iterdir():
        (raw / file.name).write_bytes(file.read_bytes()[: 1000 if "train-images" in file.name else None])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: not the published file: it holds"):
        load_dataset(named("MNIST"), tmp_path)


USER_DATA = """
import numpy as np
def images(data_dir, samples):
    return np.zeros((samples, 1, 8, 8), dtype="uint8"), np.arange(samples) % 3, 3
def floats(data_dir):
    return np.zeros((4, 1, 8, 8)), np.zeros(4, dtype=int), 3
def beyond(data_dir):
    return np.zeros((4, 1, 8, 8), dtype="uint8"), np.arange(4), 3
def nothing(data_dir):
    return None
"""


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_data_of_a_test.py").write_text(USER_DATA)
    monkeypatch.syspath_prepend(tmp_path)
    return "own_data_of_a_test"


def test_a_users_data_set(user_module: str) -> None:
    data = load_dataset(
        Component.of(f"{user_module}:images", samples=6, source=source_hash(f"{user_module}:images")), None
    )
    assert data.judged.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert data.classes == 3


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("floats", r"images are torch.float64 \[4, 1, 8, 8\], must be uint8 \[N, C, H, W\]"),
        ("beyond", r"labels reach from 0 to 3, must be in 0\.\.2"),
        ("nothing", r"must return \(images, labels, classes\)"),
    ],
)
def test_a_users_data_set_is_checked(user_module: str, function: str, message: str) -> None:
    name = f"{user_module}:{function}"
    with pytest.raises(DataError, match=message):
        load_dataset(Component.of(name, source=source_hash(name)), None)
