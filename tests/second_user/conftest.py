"""A place that other users can enter, and a results folder in it that they can write."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.second_user.other_user import SECRET
from tests.store.results_folder import Folder, ended, started, trial


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that others may enter; every start of pytest closes its own folders to them."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def shared(place: Path) -> Folder:
    """A results folder with a completed trial in which everybody may write, and a private file beside it."""
    folder = Folder(place / "results")
    folder.manifest({"grid": [trial()]})
    folder.journal(started(trial(), "a"), ended(trial(), "a"))
    (place / "secret").write_text(SECRET + "\n")
    (place / "secret").chmod(0o600)
    for each in (folder.root, *folder.root.rglob("*")):
        each.chmod(0o777 if each.is_dir() else 0o666)
    return folder
