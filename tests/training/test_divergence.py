"""A training that diverges fails its trial; the record has the epoch and no result."""

from pathlib import Path

import pytest
import torch

from noisebench.records.attempts import Ended
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter, records
from noisebench.trial.runner import Runner
from tests.trials import trial_of

LOSSES = """
def nan(logits, targets):
    return logits[:, 0] * float("nan")
def endless(logits, targets):
    return logits[:, 0].exp() * float("inf")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "diverging_losses_of_a_test.py").write_text(LOSSES)
    monkeypatch.syspath_prepend(tmp_path)
    return "diverging_losses_of_a_test"


def end_of_attempt(loss: str, detector: str, folder: Path) -> Ended:
    """Run a trial of three epochs as a worker does; return the end of its attempt."""
    trial = trial_of(loss, detector=detector, training="{epochs: 3, batch_size: 128}")
    results = ResultsFolder(folder / "results")
    with JournalWriter(results.sweep("test").journal, "host") as journal:
        runner = Runner(results, "test", "worker", None, torch.device("cpu"), journal)
        assert runner.attempt(trial, "a" * 32).status == "failed"
    _, ended = records(results.sweep("test").journal)
    assert isinstance(ended, Ended)
    return ended


@pytest.mark.slow
@pytest.mark.parametrize("detector", ["{name: confident-learning, folds: 2}", "aum", "none"])
@pytest.mark.parametrize("loss", ["nan", "endless"])
def test_the_record_names_the_epoch(module: str, loss: str, detector: str, tmp_path: Path) -> None:
    ended = end_of_attempt(f'{{name: "{module}:{loss}", delay: 1}}', detector, tmp_path)
    assert (ended.status, ended.error_kind) == ("failed", "diverged")
    assert "no longer finite in epoch 1" in ended.error
    assert ended.result is None
