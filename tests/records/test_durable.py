"""Files are opened only if they are regular files inside their folder."""

import os
from pathlib import Path

import pytest

from noisebench.records.durable import open_inside


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
