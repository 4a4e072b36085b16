"""Fixtures and hooks for the tests of several layers."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# The tests that start Ray or Slurm.
_CLUSTERS = ("tests/engine/", "tests/second_user/", "tests/slurm/")


@pytest.hookimpl(optionalhook=True)  # without xdist there is no such hook
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With --dist loadscope, let one worker run the tests that start Ray or Slurm, one at a time."""
    if config.getvalue("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class OneCluster(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "clusters" if nodeid.startswith(_CLUSTERS) else nodeid

    return OneCluster(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Exclude what is imported and collected from garbage collection: it lives to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """One and two torch threads give different digits, and the tests share their machine."""
    # Imported here: the process that only distributes the tests needs no torch.
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets, named by NOISEBENCH_DATA; its absence is a failure where CI=true."""
    folder = os.environ.get("NOISEBENCH_DATA")
    if folder and Path(folder).is_dir():
        return Path(folder)
    if os.environ.get("CI") == "true":
        pytest.fail("NOISEBENCH_DATA does not name the folder of real data sets")
    pytest.skip("needs real data: set NOISEBENCH_DATA to the folder that holds MNIST/raw and the others")
