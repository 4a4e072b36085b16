"""Fixtures of the store's tests."""

from pathlib import Path

import pytest

from tests.store.results_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty results folder."""
    return Folder(tmp_path)
