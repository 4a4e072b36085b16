"""Own data are decoded once, kept under the hash of their content, and read by trials."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from noisebench.catalogue.component import Component
from noisebench.data.datasets import load_dataset
from noisebench.data.own import cache, decoding
from noisebench.data.own.cache import keep
from noisebench.data.own.decoding import Shape, common_form, decode, highest_value
from noisebench.data.own.duplicates import fold_groups
from noisebench.data.own.kept import OwnData, keep_planted, problems, read
from noisebench.data.own.read import read_source
from noisebench.errors import DataError, EnvironmentFault, InputError
from tests.data.own.pictures import folder_of_two_classes, picture


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return folder_of_two_classes(tmp_path / "images")


def kept(folder: Path, root: Path, *, size: int | None = None, skip_broken: bool = False) -> OwnData:
    return keep(read_source(str(folder)), root, size=size, skip_broken=skip_broken, say=lambda _: None)


def test_a_trial_reads_what_was_decoded(images: Path, tmp_path: Path) -> None:
    own = kept(images, tmp_path / "root")
    assert own.about.shape == (12, 1, 8, 10)
    data = load_dataset(Component.of("own-data", content=own.content), None, tmp_path / "root")
    assert data.judged.images[:, 0, 0, 0].tolist() == [*range(0, 60, 10), *range(100, 160, 10)]
    assert data.judged.labels.tolist() == [0] * 6 + [1] * 6
    assert data.groups is not None
    assert data.groups.tolist() == list(range(12))
    with pytest.raises(
        DataError, match=r"own data 0123456789abcdef are not in .* run `noisebench detect DATA`"
    ):
        load_dataset(Component.of("own-data", content="0123456789abcdef"), None, tmp_path / "root")


@pytest.mark.parametrize("name", ["values.bin", "labels.npy", "groups.npy", "digests.npy", "about.json"])
def test_a_trial_refuses_data_that_were_changed(images: Path, tmp_path: Path, name: str) -> None:
    own = kept(images, tmp_path / "root")
    path = own.folder / name
    content = path.read_bytes()
    changed = (
        content[:-3].replace(b'"sha256": "', b'"sha256": "0')
        if name == "about.json"
        else content[:-1] + b"\x07"
    )
    path.write_bytes(changed)
    with pytest.raises(
        DataError, match=rf"own data {own.content}|{own.content}: .* checksum differs; remove"
    ):
        load_dataset(Component.of("own-data", content=own.content), None, tmp_path / "root")
    assert list(problems(tmp_path / "root")) == [own.content]
    path.unlink()
    with pytest.raises(DataError, match=rf"own data {own.content}|{own.content}: damaged .* remove"):
        read(tmp_path / "root", own.content)


def test_planted_labels_are_checked(images: Path, tmp_path: Path) -> None:
    own = kept(images, tmp_path / "root")
    planted = np.roll(own.source.labels, 1)
    content = keep_planted(own, planted, np.zeros(12, dtype=np.int8))
    assert (read(tmp_path / "root", content).planted == planted).all()
    assert problems(tmp_path / "root") == {}
    np.save(tmp_path / "root" / content / "planted.npy", own.source.labels)
    with pytest.raises(DataError, match=r"planted\.npy is not as it was kept"):
        read(tmp_path / "root", content)
    assert list(problems(tmp_path / "root")) == [content]


def test_files_that_did_not_change_are_hashed_once(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = kept(images, tmp_path / "root")
    read(tmp_path / "root", own.content)
    monkeypatch.setattr(
        "noisebench.data.own.kept._digest", lambda path: pytest.fail(f"{path} is hashed again")
    )
    read(tmp_path / "root", own.content)


def test_content_identifies_the_data_not_their_place(images: Path, tmp_path: Path) -> None:
    first = kept(images, tmp_path / "root").content
    copy = shutil.copytree(images, tmp_path / "copy")
    assert kept(copy, tmp_path / "root").content == first
    # The same path and size with other content: two images of one size change places.
    one, other = copy / "cat" / "1.png", copy / "cat" / "2.png"
    one.rename(copy / "x")
    other.rename(one)
    (copy / "x").rename(other)
    assert kept(copy, tmp_path / "root").content != first
    assert kept(images, tmp_path / "root", size=16).content != first


def test_files_are_decoded_once(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(images, tmp_path / "root")
    monkeypatch.setattr(cache, "decode", lambda *_: pytest.fail("decoded again"))
    own = kept(images, tmp_path / "root")
    monkeypatch.undo()
    values = own.folder / "values.bin"
    content = values.read_bytes()
    values.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert kept(images, tmp_path / "root").values()[0, 0, 0, 0] == 0


def test_a_killed_process_continues(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = kept(images, tmp_path / "whole").values()
    decoded: list[Path] = []

    def dying(path: Path, shape: Shape, highest: int) -> np.ndarray:  # type: ignore[type-arg]
        if len(decoded) == 8:
            raise KeyboardInterrupt
        decoded.append(path)
        return decoding.decode(path, shape, highest)

    monkeypatch.setattr(cache, "_CHUNK", 2)
    monkeypatch.setattr(cache, "_threads", lambda: 1)
    monkeypatch.setattr(cache, "decode", dying)
    with pytest.raises(KeyboardInterrupt):
        kept(images, tmp_path / "root")
    before, again = list(decoded), []
    monkeypatch.setattr(cache, "decode", lambda path, *more: again.append(path) or decode(path, *more))
    own = kept(images, tmp_path / "root")
    assert len(before) == 8
    assert len(again) == 4
    assert not set(again) & set(before)
    assert np.array_equal(own.values(), whole)


def test_broken_files_are_named_and_left_out_only_on_request(images: Path, tmp_path: Path) -> None:
    (images / "cat" / "2.png").write_bytes(b"no image")
    whole = (images / "dog" / "3.png").read_bytes()
    (images / "dog" / "3.png").write_bytes(whole[: len(whole) // 2])
    root = tmp_path / "results" / "data"
    with pytest.raises(
        InputError, match=r"2 broken files \(cat/2\.png: no image that can be read, dog/3\.png: "
    ):
        kept(images, root)
    assert not (tmp_path / "results").exists()
    for _ in range(2):
        own = kept(images, root, skip_broken=True)
        assert own.about.samples == len(own.source.ids) == len(own.sha256) == len(own.digests) == 10
        assert own.values()[:, 0, 0, 0].tolist() == [0, 10, 30, 40, 50, 100, 110, 120, 140, 150]
        assert "2 broken files" in own.source.notes[-1]
    with pytest.raises(InputError, match="--skip-broken"):
        kept(images, root)


def test_the_size_is_said_before_and_a_full_disk_refused(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    keep(read_source(str(images)), tmp_path / "root", size=64, say=said.append)
    assert said == ["12 samples of 1 x 64 x 64 take 0.00 GB in the results folder"]
    full = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: full)
    with pytest.raises(EnvironmentFault, match=r"0\.00 GB are free, .* choose another --results"):
        kept(images, tmp_path / "other")


def test_equal_pixels_and_groups_stay_together(images: Path, tmp_path: Path) -> None:
    Image.open(images / "cat" / "1.png").save(images / "dog" / "copy.bmp")
    own = kept(images, tmp_path / "root")
    groups = np.load(own.folder / "groups.npy")
    assert own.source.ids[12] == "dog/copy.bmp"
    assert groups.tolist() == [*range(12), 1]
    assert fold_groups(["a", "b", "a", "c"], np.array([5, 6, 7, 6])).tolist() == [0, 1, 0, 1]
    # 0 and 2 are equal, 2 and 3 are of one group: all three stay together.
    assert fold_groups(["a", "b", "a", "c"], np.array([1, 2, 3, 3])).tolist() == [0, 1, 0, 0]


def test_images_are_turned_and_cropped_and_of_8_bits(tmp_path: Path) -> None:
    left_dark = np.full((8, 16), 200, dtype=np.uint8)
    left_dark[:, :8] = 0
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: the left side comes to the top
    Image.fromarray(left_dark).save(tmp_path / "turned.png", exif=exif)
    turned = decode(tmp_path / "turned.png", Shape(1, 16, 8))
    assert turned[0, :, 0].tolist() == [0] * 8 + [200] * 8
    assert decode(tmp_path / "turned.png", Shape(3, 8, 8)).shape == (3, 8, 8)
    Image.fromarray(np.full((8, 8), 257 * 100, dtype=np.uint16)).save(tmp_path / "deep.png")
    assert decode(tmp_path / "deep.png", Shape(1, 8, 8)).ravel().tolist() == [100] * 64


def test_the_common_shape(tmp_path: Path) -> None:
    grey, colour = picture(tmp_path / "g.png", 1), picture(tmp_path / "c.png", 1, mode="RGB")
    large, tiny = picture(tmp_path / "l.png", 1, (70, 20)), picture(tmp_path / "t.png", 1, (4, 9))
    (tmp_path / "broken.png").write_bytes(b"")
    assert common_form([grey, tmp_path / "broken.png"], None).shape == Shape(1, 8, 10)
    assert common_form([grey, colour], None).shape == Shape(3, 8, 10)
    assert common_form([grey, large], None).shape == Shape(1, 64, 64)
    assert common_form([tiny], None).shape == Shape(1, 9, 8)
    assert common_form([grey], 32).shape == Shape(1, 32, 32)
    # Two images in colour are found among many.
    many = [grey] * 2000
    many[1] = many[1001] = colour
    assert common_form(many, None).shape == Shape(3, 8, 10)


@pytest.mark.parametrize(
    ("highest", "scale"), [(1, 1), (200, 255), (255, 255), (256, 1023), (4000, 4095), (60_000, 65_535)]
)
def test_images_of_16_bits_have_one_scale(tmp_path: Path, highest: int, scale: int) -> None:
    folder, values = folder_of_two_classes(tmp_path / "images"), [highest, highest // 4]
    for number, value in enumerate(values):
        Image.fromarray(np.full((8, 10), value, dtype=np.uint16)).save(folder / "cat" / f"{number}.png")
    deep = common_form(read_source(str(folder)).paths, None).deep
    assert [path.name for path in deep] == ["0.png", "1.png"]
    (folder / "cat" / "broken.png").write_bytes(b"no image")
    assert highest_value([*deep, folder / "cat" / "broken.png"]) == scale
    own = kept(folder, tmp_path / "root", skip_broken=True)
    assert own.values()[:3, 0, 0, 0].tolist() == [*(round(255 * value / scale) for value in values), 20]


def test_floating_point_images_up_to_1_become_those_of_8_bits(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.tiff" for number in range(2)]
    for path, value in zip(paths, (0.25, 1.0), strict=True):
        Image.fromarray(np.full((8, 8), value, dtype=np.float32)).save(path)
    assert highest_value(paths) == 1
    assert [int(decode(path, Shape(1, 8, 8), 1).max()) for path in paths] == [64, 255]


def test_the_content_of_images_of_8_bits_has_its_former_name(tmp_path: Path) -> None:
    """It is part of the ids of trials."""
    pixels = (np.arange(640) % 256).astype(np.uint8).reshape(10, 8, 8)
    np.savez(tmp_path / "a.npz", X=pixels, y=np.arange(10) % 2)
    own = keep(read_source(str(tmp_path / "a.npz")), tmp_path / "root", say=lambda _: None)
    assert own.content == "e66c6d31bb68646e"
