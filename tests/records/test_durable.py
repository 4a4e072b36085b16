"""Files are opened only if they are regular files inside their folder."""

import os
from pathlib import Path

import pytest

from noisebench.records.durable import open_inside, open_of_sweep, remove_inside, write_durably, write_inside


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with one file in a sub-folder, and a secret beside it."""
    folder = tmp_path / "results"
    (folder / "journal").mkdir(parents=True)
    (folder / "journal" / "a.jsonl").write_text("record\n")
    (tmp_path / "secret").write_text("secret\n")
    return folder


def test_a_regular_file_is_opened(root: Path) -> None:
    with open_inside(root, "journal/a.jsonl") as file:
        assert file.read() == b"record\n"


@pytest.mark.parametrize("relative", ["../secret", "journal/../../secret", "journal/.."])
def test_a_path_that_leads_out_is_refused(root: Path, relative: str) -> None:
    with pytest.raises(OSError, match="leads out of"):
        open_inside(root, relative)


def test_links_and_special_files_are_refused(root: Path) -> None:
    (root / "journal" / "link").symlink_to(root.parent / "secret")
    (root / "linked").symlink_to(root.parent)
    os.mkfifo(root / "journal" / "pipe")
    for relative in ("journal/link", "linked/secret"):
        with pytest.raises(OSError, match=r"Too many levels of symbolic links|Not a directory"):
            open_inside(root, relative)
    with pytest.raises(OSError, match="is no regular file"):
        open_inside(root, "journal/pipe")


def test_a_hard_link_is_refused_where_others_can_write(root: Path) -> None:
    (root / "journal" / "b.jsonl").hardlink_to(root.parent / "secret")
    with open_inside(root, "journal/b.jsonl") as file:  # a copy made with `cp -al` has such files
        assert file.read() == b"secret\n"
    for mode in (0o775, 0o757):
        (root / "journal").chmod(mode)
        with pytest.raises(OSError, match="has a hard link, and others can write into its folder"):
            open_inside(root, "journal/b.jsonl")


@pytest.mark.parametrize("relative", ["a\0b", "journal/a\0b", "journal/\ud800", "journal/"])
def test_what_is_no_path_is_refused(root: Path, relative: str) -> None:
    with pytest.raises(OSError, match=r"is no path|No such file"):
        open_inside(root, relative)


def test_a_file_of_a_sweep_is_not_read_through_a_linked_folder(root: Path, tmp_path: Path) -> None:
    (tmp_path / "private" / "sweep").mkdir(parents=True)
    (tmp_path / "private" / "sweep" / "a.jsonl").write_text("secret\n")
    (root / "heartbeats").symlink_to(tmp_path / "private")
    (root / "journal" / "sweep").symlink_to(tmp_path / "private" / "sweep")
    for name in ("heartbeats/sweep/a.jsonl", "journal/sweep/a.jsonl"):
        with pytest.raises(OSError, match=r"Not a directory: '.*/results/(heartbeats|journal/sweep)'"):
            open_of_sweep(root / name)


def test_nothing_is_written_through_a_linked_folder(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (root / "scores").mkdir()
    (root / "scores" / "01").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match=r"Not a directory: '.*/results/scores/01'"):
        write_inside(root, "scores/01/a.parquet", b"x")
    assert list((tmp_path / "outside").iterdir()) == []
    write_inside(root, "scores/02/a.parquet", b"x")
    assert (root / "scores" / "02" / "a.parquet").read_bytes() == b"x"


def test_an_error_names_the_whole_path(root: Path) -> None:
    (root / "file").mkdir()
    with pytest.raises(OSError, match=f"Is a directory: '{root}/file'"):
        write_durably(root / "file", b"x")
    assert [path.name for path in root.iterdir() if path.name.startswith(".")] == []


def test_nothing_is_removed_through_a_linked_folder(root: Path, tmp_path: Path) -> None:
    (root / "scores").symlink_to(tmp_path)
    for relative in ("scores/secret", "../secret", "journal/../../secret"):
        with pytest.raises(OSError, match=r"Not a directory|leads out of"):
            remove_inside(root, relative)
    assert (tmp_path / "secret").read_text() == "secret\n"
    remove_inside(root, "scores")
    remove_inside(root, "journal")
    remove_inside(root, "journal")
    assert (list(root.iterdir()), (tmp_path / "secret").exists()) == ([], True)
