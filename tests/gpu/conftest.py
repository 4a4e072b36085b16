"""The GPU under test."""

import pytest
import torch


@pytest.fixture
def gpu() -> torch.device:
    """The first GPU; its absence skips the test."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return torch.device("cuda:0")
