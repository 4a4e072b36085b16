"""What every test of the store begins with."""

from pathlib import Path

import pytest

from tests.store.results_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty results folder."""
    return Folder(tmp_path)
