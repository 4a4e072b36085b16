"""Training through torch.compile."""

import shutil
from pathlib import Path

import pytest
import torch
from torch._dynamo.utils import counters

from noisebench.training.modes import Modes
from tests.training.problem import Problem, differences

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU"),
    # The compiler hides its own warnings, but here they become errors first.
    pytest.mark.filterwarnings("ignore"),
]


def test_compiled_grouped_runs_equal_single_runs_and_compile_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()
    compiled = []
    for _ in range(2):
        together, alone = Problem.digits(), Problem.digits()
        alone.oracle()
        together.train(Modes(compiled=True, grouped=True))
        assert differences(together, alone).shape == (2, 20)
        assert differences(together, alone).max() < 1e-4
        compiled.append(counters["stats"]["unique_graphs"])
    assert compiled[0] > 0
    assert compiled[1] == compiled[0]
