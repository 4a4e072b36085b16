"""Errors of a real GPU in processes of their own: recorded, and never inherited by another trial."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import records

pytestmark = pytest.mark.gpu

ATTEMPT = """
import sys
from pathlib import Path
import torch
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter
from noisebench.trial.runner import Runner
from tests.trials import trial_of

def assert_on_device(*_):
    table, index = torch.zeros(4, device="cuda:0"), torch.tensor([1 << 40], device="cuda:0")
    table[index].sum().item()

def hide(*_):
    try:
        assert_on_device()
    except RuntimeError:
        pass
    raise ValueError("no sign of CUDA")

def too_much(*_):
    torch.empty(1 << 50, dtype=torch.uint8, device="cuda:0")

results = ResultsFolder(Path(sys.argv[2]))
with JournalWriter(results.journal / "test", "host") as journal:
    runner = Runner(results, "test", "worker", None, torch.device("cuda:0"), journal, globals()[sys.argv[1]])
    end = runner.attempt(trial_of(), "a" * 32)
    print(end.error_kind, flush=True)
    print(float(torch.ones(1, device="cuda:0").item()), flush=True)
"""


@pytest.mark.parametrize(
    ("name", "code", "status", "kind"),
    [
        ("assert_on_device", 1, "interrupted", "gpu-error"),
        ("hide", 1, "interrupted", "gpu-error"),
        ("too_much", 0, "failed", "gpu-memory"),
    ],
)
def test_an_error_of_the_gpu_is_recorded_with_its_kind(
    gpu: torch.device, tmp_path: Path, name: str, code: int, status: str, kind: str
) -> None:
    del gpu
    command = [sys.executable, "-c", ATTEMPT, name, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr
    _, ended = records(ResultsFolder(tmp_path).journal / "test")
    assert (ended.status, ended.error_kind) == (status, kind)
    assert done.stdout.split() == ([] if code else [kind, "1.0"])
