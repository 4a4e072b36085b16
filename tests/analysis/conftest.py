"""Shared fixtures: a synthetic database of the whole grid, and programs that may be missing."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.feeding import Feed, feed
from noisebench.records.folders import ResultsFolder
from noisebench.store.ingest import ingest
from tests.analysis.synthetic import write_results
from tests.packages import need
from tests.store.results_folder import Folder


@pytest.fixture(scope="session")
def paper(tmp_path_factory: pytest.TempPathFactory) -> ResultsFolder:
    """The synthetic results of both papers, in one folder for all workers: no test may change it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a folder of its own below that of the session
        shared = shared.parent
    results = ResultsFolder(shared / "synthetic")
    with (shared / "synthetic.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not results.database.exists():  # written last
            write_results(results.root)
            ingest(results)
    return results


@pytest.fixture(scope="session")
def source(paper: ResultsFolder) -> Feed:
    """The same, with the sweep that feeds each block."""
    return feed(paper)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty results folder to be written by hand."""
    return Folder(tmp_path / "results")


@pytest.fixture(scope="session")
def tool() -> Callable[[str, str], str]:
    """Find a program, installed where we may; without it the test is skipped, and a failure where CI=true."""

    def find(program: str, package: str) -> str:
        need([program], [package])
        return str(shutil.which(program))

    return find
