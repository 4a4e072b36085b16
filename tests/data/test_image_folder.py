"""A folder of images, one sub-folder a class."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from noisebench.catalogue.component import Component
from noisebench.data.datasets import load_dataset
from noisebench.errors import DataError


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number, name in enumerate(["cat", "dog"]):
        (tmp_path / name).mkdir()
        for count in range(3):
            pixels = np.full((10, 12, 3), 40 * number + 10 * count, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{count}.png")
        (tmp_path / name / "notes.txt").write_text("no image")
    return tmp_path


def folder(path: Path, channels: int = 3) -> Component:
    return Component.of("folder", path=str(path), channels=channels, height=8, width=8)


def test_classes_and_files_come_in_sorted_order(images: Path) -> None:
    data = load_dataset(folder(images), None)
    assert data.classes == 2
    assert data.judged.images.shape == (6, 3, 8, 8)
    assert data.judged.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.judged.images[:, 0, 0, 0].tolist() == [0, 10, 20, 40, 50, 60]
    assert load_dataset(folder(images, channels=1), None).judged.images.shape == (6, 1, 8, 8)


def test_what_is_wrong_is_named(images: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        load_dataset(folder(tmp_path / "nowhere"), None)
    with pytest.raises(DataError, match="holds 0 sub-folders"):
        load_dataset(folder(images / "cat"), None)
    with pytest.raises(DataError, match="channels is 2"):
        load_dataset(folder(images, channels=2), None)
    (images / "dog" / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken\.png: cannot be read as an image"):
        load_dataset(Component.of("folder", path=str(images), channels=3, height=9, width=9), None)
    (images / "empty").mkdir()
    (images / "dog" / "broken.png").unlink()
    with pytest.raises(DataError, match="empty: holds no image"):
        load_dataset(Component.of("folder", path=str(images), channels=3, height=10, width=9), None)
