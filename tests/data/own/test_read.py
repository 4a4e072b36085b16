"""Own data of every format become the same samples, or are refused with one message."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from noisebench.data.own.cache import hashes_of
from noisebench.data.own.label_table import corrected
from noisebench.data.own.read import read_source
from noisebench.data.own.source import Source, indexed
from noisebench.errors import InputError
from tests.data.own.pictures import folder_of_two_classes, picture


def test_a_folder_has_its_classes_in_order_and_files_at_any_depth(tmp_path: Path) -> None:
    folder = folder_of_two_classes(tmp_path)
    picture(folder / "dog" / "deep" / "er" / "x.png", 3)
    picture(folder / "dog" / ".ipynb_checkpoints" / "copy.png", 3)
    picture(folder / ".hidden" / "copy.png", 3)
    (folder / "dog" / ".DS_Store").write_text("no image")
    (folder / "dog" / "notes.txt").write_text("no image")
    picture(folder / "stray.png", 3)
    source = read_source(str(folder))
    assert source.classes == ("cat", "dog")
    assert source.labels.tolist() == [0] * 6 + [1] * 7
    assert source.ids[:2] == ("cat/0.png", "cat/1.png")
    assert source.ids[-1] == "dog/deep/er/x.png"
    assert source.notes == (f"2 files of {folder} are no images in the folder of a class, and are left out",)


def test_names_may_have_any_letters_and_any_bytes(tmp_path: Path) -> None:
    folder = folder_of_two_classes(tmp_path)
    picture(folder / "犬 кот" / "é.png", 3)
    raw = os.fsencode(folder / "犬 кот") + b"/bad\xe9.png"
    Path(os.fsdecode(raw)).write_bytes((folder / "犬 кот" / "é.png").read_bytes())
    source = read_source(str(folder))
    assert source.classes[-1] == "犬 кот"
    assert source.ids[-2:] == ("犬 кот/bad\\xe9.png", "犬 кот/é.png")


def test_labels_that_are_numbers_keep_their_order() -> None:
    classes, labels = indexed(["10", "9", "9", "b", "a"])
    assert classes == ("9", "10", "a", "b")
    assert labels.tolist() == [1, 0, 0, 3, 2]


@pytest.mark.parametrize("shape", [(12, 9, 8), (12, 9, 8, 1), (12, 1, 9, 8)])
def test_images_of_an_npz_file(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = np.arange(12 * 72, dtype=np.uint8).reshape(12, 9, 8)
    np.savez(tmp_path / "a.npz", X=pixels.reshape(shape), y=np.arange(12) % 3 + 5)
    source = read_source(str(tmp_path / "a.npz"))
    assert source.classes == ("5", "6", "7")
    assert source.ids[:2] == ("00", "01")
    assert np.array_equal(source.values, pixels[:, np.newaxis])
    assert not source.has_features


def test_features_of_an_npz_file_with_ids_and_groups(tmp_path: Path) -> None:
    values, names = np.random.default_rng(0).normal(size=(10, 4)), [f"s{n}" for n in range(10)]
    groups = np.arange(10) // 2
    np.savez(tmp_path / "a.npz", features=values, labels=["b", "a"] * 5, ids=names, groups=groups)
    source = read_source(str(tmp_path / "a.npz"))
    assert source.has_features
    assert source.ids == tuple(names)
    assert source.classes == ("a", "b")
    assert source.labels.tolist() == [1, 0] * 5
    assert source.groups is not None
    assert source.groups.tolist() == groups.tolist()
    assert source.values is not None
    assert source.values.dtype == np.float32


def test_a_function_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import numpy as np\ndef read(data_dir):\n    return np.eye(10), np.arange(10) % 2, 2\n"
    (tmp_path / "own_reader.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    source = read_source("own_reader:read")
    assert source.classes == ("0", "1")
    assert source.has_features


def _damaged(byte: bytes, at: int | None = None) -> str:
    """Write a packed file with other bytes at `at` of each header, or in the middle of its first array."""
    np.savez_compressed("bad.npz", X=np.random.default_rng(0).random((20, 50)), y=np.arange(20) % 2)
    data = bytearray(Path("bad.npz").read_bytes())
    if at is None:
        data[200 : 200 + len(byte)] = byte
    else:
        start = data.find(b"PK\1\2")
        data[start + at] = data[at - 2] = byte[0]
    Path("bad.npz").write_bytes(data)
    return "bad.npz"


def _endless() -> str:
    """Write a file whose header says that its array has 400 TB."""
    header, labels = io.BytesIO(), io.BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": (1 << 45, 3)}
    np.lib.format.write_array_header_1_0(header, fields)
    np.save(labels, LABELS)
    with zipfile.ZipFile("bad.npz", "w") as file:
        file.writestr("X.npy", header.getvalue())
        file.writestr("y.npy", labels.getvalue())
    return "bad.npz"


def _npz(**arrays: object) -> str:
    np.savez("bad.npz", **arrays)  # type: ignore[arg-type]
    return "bad.npz"


def _one_class() -> str:
    picture(Path("one/cat/0.png"), 0)
    return "one"


def _empty_class() -> str:
    folder_of_two_classes(Path("empty"))
    Path("empty/bird").mkdir()
    return "empty"


def _few() -> str:
    return str(folder_of_two_classes(Path("few"), 2))


def _text(name: str, text: str = "x") -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)
    return name


def _nan() -> str:
    values = np.zeros((10, 2))
    values[3, 1] = np.nan
    return _npz(X=values, y=np.arange(10) % 2)


LABELS = np.arange(10) % 2
BAD = {
    "missing": (lambda: "nowhere", "nowhere: no such file or folder"),
    "no sub-folder": (lambda: str(Path(_text("flat/notes.txt")).parent), "flat: has no sub-folder"),
    "empty class": (_empty_class, "empty/bird: holds no image"),
    "one class": (_one_class, "one: has 1 class, 'cat'; a label can only be wrong"),
    "few samples": (_few, "few: has 4 samples; at least 10 are needed"),
    "other file": (lambda: _text("a.zip"), r"a\.zip: is a \.zip; name a folder"),
    "no npz": (lambda: _text("a.npz"), r"a\.npz: cannot be read as an \.npz file"),
    "encrypted npz": (lambda: _damaged(b"\1", 8), "cannot be read as an .* encrypted"),
    "unknown packing": (lambda: _damaged(b"\x63", 10), "cannot be read as an .* compression"),
    "damaged packing": (lambda: _damaged(b"\xff" * 100), "cannot be read as an .* decompressing"),
    "endless array": (lambda: _endless(), "cannot be read as an .* allocate"),
    "objects": (lambda: _npz(X=np.array([{}] * 10), y=LABELS), "cannot be read as an"),
    "no labels": (lambda: _npz(X=np.zeros((10, 2))), "has no labels y, only X"),
    "no values": (lambda: _npz(y=LABELS), "has no values X, only y"),
    "lengths": (lambda: _npz(X=np.zeros((9, 2)), y=LABELS), "9 values, but 10 labels"),
    "float images": (lambda: _npz(X=np.zeros((10, 8, 8)), y=LABELS), "values are float64"),
    "channels": (lambda: _npz(X=np.zeros((10, 2, 8, 8), np.uint8), y=LABELS), r"\[C, H, W\] = \[8, 2, 8\]"),
    "tiny images": (lambda: _npz(X=np.zeros((10, 4, 4), np.uint8), y=LABELS), "at least 8 x 8 pixels"),
    "nan": (_nan, r"1 samples have features that are not finite in float32 \(first: row 3\)"),
    "float labels": (lambda: _npz(X=np.zeros((10, 2)), y=LABELS / 2), "labels are float64"),
    "soft labels": (
        lambda: _npz(X=np.zeros((10, 2)), y=np.eye(10, dtype=int)),
        r"labels are int64 \[10, 10\]",
    ),
    "ids twice": (
        lambda: _npz(X=np.zeros((10, 2)), y=LABELS, ids=[0, 0, *range(8)]),
        r"1 id \(0\) more than once|2 ids \(0, 1\) more than once|1 id",
    ),
    "both names": (lambda: _npz(X=np.zeros((10, 2)), y=LABELS, labels=LABELS), "has both y and labels"),
    "no function": (lambda: "json:nothing", "'json' is part of Python"),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_data_are_refused_with_one_message(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, message = BAD[case]
    data = make()
    with pytest.raises(InputError, match=message) as error:
        read_source(data)
    assert "\n" not in str(error.value)


def written_label_table(text: str, name: str = "m.csv") -> str:
    """Write a label table beside the images of two classes; return its name."""
    folder_of_two_classes(Path("images"))
    return _text(name, text)


ROWS = "".join(f"images/{label}/{n}.png,{label},{n % 3}\n" for label in ("cat", "dog") for n in range(6))


def test_a_label_table_names_paths_labels_and_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written_label_table("\ufeffpath,label,group,split\n" + ROWS.replace("\n", ",train\n"))
    source = read_source("m.csv")
    assert source.ids[0] == "images/cat/0.png"
    assert source.paths is not None
    assert source.paths[0] == tmp_path / "images" / "cat" / "0.png"
    assert source.classes == ("cat", "dog")
    assert source.groups is not None
    assert source.groups.tolist() == [0, 1, 2] * 4
    columns = {name: list(values) for name, values in zip("pl", zip(*_rows(), strict=True), strict=True)}
    table = pa.table({"path": columns["p"], "label": [7] * 6 + [11] * 6, "id": [f"i{n}" for n in range(12)]})
    (tmp_path / "elsewhere").mkdir()
    pyarrow.parquet.write_table(table, tmp_path / "elsewhere" / "m.parquet")
    with pytest.raises(InputError, match=r"12 files \(images/cat/0\.png, .*, \.\.\.\) not found below"):
        read_source("elsewhere/m.parquet")
    source = read_source("elsewhere/m.parquet", root=tmp_path)
    assert source.classes == ("7", "11")
    assert source.ids[:2] == ("i0", "i1")


def _rows() -> list[tuple[str, str]]:
    return [(row.split(",")[0], row.split(",")[1]) for row in ROWS.splitlines()]


BAD_LABEL_TABLES = {
    "empty": ("", "has no column path, only nothing; a label table has the columns path and label"),
    "columns": ("file,label\n" + ROWS, "has 3 cells, but the header has 2"),
    "no label": ("path,class,group\n" + ROWS, "has no column label, only path, class, group"),
    "no file": ("path,label\nimages/x.png,a\n", r"1 file \(images/x\.png\) not found below"),
    "empty label": ("path,label\nimages/cat/0.png,\n", r"column label is empty in 1 row \(1\)"),
    "quote": ('path,label\n"images,a\n', "is no valid CSV"),
    "twice": ("path,label\n" + "images/cat/0.png,cat\nimages/cat/0.png,dog\n" * 5, "1 id .* more than once"),
}


@pytest.mark.parametrize("case", sorted(BAD_LABEL_TABLES))
def test_bad_label_tables_are_refused_with_one_message(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text, message = BAD_LABEL_TABLES[case]
    with pytest.raises(InputError, match=message):
        read_source(written_label_table(text))


def test_label_tables_of_other_bytes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(b"path,label\n\xe9,a\n")
    with pytest.raises(InputError, match="is not UTF-8"):
        read_source(str(tmp_path / "m.csv"))
    (tmp_path / "m.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match="is no valid Parquet file"):
        read_source(str(tmp_path / "m.parquet"))


HEADER = "id,label,given,sha256"


def labels_file(source: Source, labels: dict[str, str], **changed: tuple[str, str]) -> Path:
    """Write labels.csv for `labels` by id, with given label and hash of the source or as in `changed`."""
    hashes = dict(zip(source.ids, hashes_of(source), strict=True))
    given = {name: source.classes[label] for name, label in zip(source.ids, source.labels, strict=True)}
    rows = [
        ",".join([name, label, *changed.get(name, (given.get(name, ""), hashes.get(name, "")))])
        for name, label in labels.items()
    ]
    return Path(_text("labels.csv", "\n".join([HEADER, *rows])))


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.chdir(tmp_path)
    return read_source(str(folder_of_two_classes(tmp_path / "images")))


def test_corrected_labels_replace_the_given_ones_by_id(images: Source) -> None:
    labels = {name: "bird" if name == "cat/3.png" else name[:3] for name in reversed(images.ids[1:])}
    changed = corrected(images, labels_file(images, labels))
    assert changed.ids == images.ids[1:]
    assert changed.classes == ("bird", "cat", "dog")
    assert changed.classes[changed.labels[2]] == "bird"
    assert "1 samples that labels.csv does not have are left out" in changed.notes
    with pytest.raises(InputError, match=r"1 id \(x\) not in .*images"):
        corrected(images, labels_file(images, {"x": "cat"}))


def test_corrected_labels_of_other_data_are_refused(images: Source) -> None:
    labels = {name: name[:3] for name in images.ids}
    hash_ = hashes_of(images)[3]
    for seen, message in (
        (
            ("cat", "0" * 64),
            r"1 sample \(cat/3\.png: other content\) differ; name the data that were reviewed",
        ),
        (("dog", hash_), r"1 sample \(cat/3\.png: label 'cat', reviewed 'dog'\) differ"),
    ):
        with pytest.raises(InputError, match=r"labels\.csv: is of other data than .*images: " + message):
            corrected(images, labels_file(images, labels, **{"cat/3.png": seen}))
    old = Path(_text("old.csv", "id,path,label,given,verdict\n"))
    with pytest.raises(
        InputError, match=r"old\.csv: has no column sha256.*review NAME --decisions decisions\.csv"
    ):
        corrected(images, old)


def test_the_rows_of_another_npz_file_are_not_those_that_were_reviewed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("train", "test"):
        np.savez(tmp_path / f"{name}.npz", X=rng.normal(size=(12, 2)), y=np.arange(12) % 2)
    train, test = (read_source(str(tmp_path / f"{name}.npz")) for name in ("train", "test"))
    rows = [
        f"{name},{int(name) // 6},{int(name) % 2},{hash_}"
        for name, hash_ in zip(train.ids, hashes_of(train), strict=True)
    ]
    (tmp_path / "labels.csv").write_text("\n".join([HEADER, *rows]))
    assert set(corrected(train, tmp_path / "labels.csv").labels.tolist()) == {0, 1}
    with pytest.raises(InputError, match=r"12 samples \(00: other content, 01"):
        corrected(test, tmp_path / "labels.csv")
    (tmp_path / "few.csv").write_text("\n".join([HEADER, *rows[:6]]))
    with pytest.raises(InputError, match="has 1 class, '0'; a label can only be wrong"):
        corrected(train, tmp_path / "few.csv")
