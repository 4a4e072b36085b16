"""Which image files a label table or a folder may name."""

import os
from pathlib import Path

import pytest

from noisebench.data.own.read import read_source
from noisebench.errors import InputError
from tests.data.own.pictures import folder_of_two_classes, picture

OTHER = 60123
only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to another user")


def table(folder: Path, *extra: str) -> Path:
    """Write a table of twelve images below `folder`, and of those at the paths `extra`."""
    folder.mkdir(exist_ok=True)
    for row in range(12):
        picture(folder / f"{row}.png", row)
    paths = [*(f"{row}.png" for row in range(12)), *extra]
    rows = [f"{path},{'cat' if row % 2 else 'dog'}" for row, path in enumerate(paths)]
    (folder / "labels.csv").write_text("\n".join(["path,label", *rows]))
    return folder / "labels.csv"


@pytest.mark.parametrize("path", ["../secret.png", "{folder}/secret.png", "x/../../secret.png"])
def test_a_table_that_others_can_write_names_no_file_outside_its_folder(tmp_path: Path, path: str) -> None:
    picture(tmp_path / "secret.png", 3)
    file = table(tmp_path / "shared", path.format(folder=tmp_path))
    file.chmod(0o664)
    with pytest.raises(InputError, match=r"1 file \(.*secret.png\) of .* not below .*/shared, and others"):
        read_source(str(file))


def test_a_note_says_how_many_files_a_users_own_table_names_outside_its_folder(tmp_path: Path) -> None:
    images = [tmp_path / "images" / name for name in ("x.png", "y.png")]
    for number, image in enumerate(images):
        picture(image, number)
    file = table(tmp_path / "mine", "../images/x.png", str(images[1]))
    file.chmod(0o600)
    source = read_source(str(file))
    assert source.paths is not None
    assert list(source.paths[-2:]) == images
    (note,) = source.notes
    assert note.startswith("2 files (")
    assert note.endswith(f"not below {tmp_path / 'mine'}: the page of suspects shows them")


def test_root_names_the_folder_that_a_table_of_others_may_reach(tmp_path: Path) -> None:
    for row in range(12):
        picture(tmp_path / "images" / f"{row}.png", row)
    file = table(tmp_path / "shared")
    file.write_text(file.read_text().replace("\n", f"\n{tmp_path}/images/"))
    file.chmod(0o666)
    with pytest.raises(InputError, match="others have written the table or can"):
        read_source(str(file))
    assert read_source(str(file), root=tmp_path / "images").notes == ()


@pytest.mark.parametrize("name", ["a" * 300 + ".png", "a\0b.png", "missing.png"])
def test_a_name_that_is_no_file_is_one_clear_message(tmp_path: Path, name: str) -> None:
    file = table(tmp_path / "mine", name)
    with pytest.raises(InputError, match=r"1 file \(.*\) not found below|is no valid CSV"):
        read_source(str(file))


@only_root
@pytest.mark.parametrize("link", ["0.png", "folder"])
@pytest.mark.parametrize("kind", ["table", "folder"])
def test_a_link_of_another_user_to_a_private_file_is_not_followed(
    tmp_path: Path, kind: str, link: str
) -> None:
    (tmp_path / "photos").mkdir()
    folder = folder_of_two_classes(tmp_path / "photos")
    picture(tmp_path / "private" / "x.png", 3)
    planted = folder / "cat" / "x.png" if link == "0.png" else folder / "private"
    planted.symlink_to(tmp_path / "private" / "x.png" if link == "0.png" else tmp_path / "private")
    os.chown(planted, OTHER, OTHER, follow_symlinks=False)
    data = folder
    if kind == "table":
        names = sorted(path.relative_to(folder) for path in folder.rglob("*.png"))
        names += [Path("private/x.png")] if link == "folder" else []
        data = folder / "labels.csv"
        data.write_text("\n".join(["path,label", *(f"{name},{name.parts[0]}" for name in names)]))
    with pytest.raises(InputError, match=r"1 file \(.*x.png\) behind a link of another user"):
        read_source(str(data))
    os.chown(planted, 0, 0, follow_symlinks=False)
    assert len(read_source(str(data)).ids) == 13
    os.chown(planted, OTHER, OTHER, follow_symlinks=False)
    os.chown(tmp_path / "private" / "x.png", OTHER, OTHER)
    os.chown(tmp_path / "private", OTHER, OTHER)
    assert len(read_source(str(data)).ids) == 13  # what they show is theirs
