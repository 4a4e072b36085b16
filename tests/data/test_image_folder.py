"""A folder of images with one sub-folder for each class."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from noisebench.catalogue.component import Component
from noisebench.data.datasets import load_dataset
from noisebench.errors import DataError
from noisebench.sweep.trial import Trial
from tests.trials import trial_of


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


def test_classes_and_files_are_sorted(images: Path) -> None:
    data = load_dataset(folder(images), None)
    assert data.classes == 2
    assert data.judged.images.shape == (6, 3, 8, 8)
    assert data.judged.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.judged.images[:, 0, 0, 0].tolist() == [0, 10, 20, 40, 50, 60]
    assert load_dataset(folder(images, channels=1), None).judged.images.shape == (6, 1, 8, 8)


def in_a_sweep(path: Path) -> Trial:
    return trial_of(dataset=f"{{folder: {path}, height: 8, width: 8}}", training="{epochs: 1}")


def test_a_folder_is_identified_by_the_content_of_its_images(
    images: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = in_a_sweep(images)
    copy = shutil.copytree(images, tmp_path_factory.mktemp("copy") / "images")
    (copy / "cat" / "notes.txt").write_text("other notes")
    assert in_a_sweep(copy).dataset["content"] == first.dataset["content"]
    file = images / "cat" / "0.png"
    whole = file.read_bytes()
    file.write_bytes(bytes([*whole[:-1], whole[-1] ^ 1]))
    assert in_a_sweep(images).trial_id != first.trial_id
    file.write_bytes(whole)
    assert in_a_sweep(images).trial_id == first.trial_id
    file.rename(images / "dog" / "moved.png")
    assert in_a_sweep(images).trial_id != first.trial_id


def test_images_changed_after_the_sweep_was_read_are_refused(images: Path) -> None:
    dataset = in_a_sweep(images).dataset
    assert len(load_dataset(dataset, None).judged.labels) == 6
    (images / "cat" / "0.png").unlink()
    changed = Component.of(dataset.name, **{**dataset.without(), "channels": 1})
    with pytest.raises(DataError, match=r"its images were changed after the sweep was read .* new trials"):
        load_dataset(changed, None)


def test_problems_of_a_folder_are_named(images: Path, tmp_path: Path) -> None:
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
