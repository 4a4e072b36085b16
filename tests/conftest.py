"""What several layers' tests share."""

import os
from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that start Ray or Slurm into one xdist group: one worker runs them, one at a time."""
    for item in items:
        if item.get_closest_marker("ray") or item.get_closest_marker("slurm"):
            item.add_marker(pytest.mark.xdist_group("clusters"))


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """One and two torch threads give different digits, and the tests share their machine."""
    # Here, for the process that only hands the tests out needs no torch.
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
