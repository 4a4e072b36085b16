"""A trial that stops after any epoch of any fit and resumes gives the same result bit for bit."""

from pathlib import Path

import numpy as np
import pytest
import torch

from noisebench.records.checkpoints import Checkpoints
from noisebench.trial.measurement import Measurement, measure
from tests.trials import trial_of

CPU = torch.device("cpu")
FEW = "{name: digits, samples: 200}"
TRIALS = {
    "confident-learning": trial_of(
        "{name: PZ, c: 0.02}", dataset=FEW, training="{epochs: 3}", more="dynamics: true"
    ),
    "aum": trial_of(
        dataset=FEW,
        detector="aum",
        training="{epochs: 3, optimizer: nesterov, momentum: 0.9, augmentation: crop-flip}",
    ),
    "ctrl": trial_of(dataset=FEW, detector="ctrl", training="{epochs: 3}"),
}


class Stopped(Exception):
    """Simulates the death of the process."""


class StoppingCheckpoints(Checkpoints):
    """Raises Stopped after a number of writes."""

    def __init__(self, folder: Path, writes: int) -> None:
        super().__init__(folder, epoch_seconds=0)
        self.writes = writes

    def write(self, name: str, content: dict[str, object]) -> None:
        super().write(name, content)
        self.writes -= 1
        if not self.writes:
            raise Stopped


def equal(ours: Measurement, theirs: Measurement) -> bool:
    same = all(np.array_equal(ours.samples[n], theirs.samples[n], equal_nan=True) for n in theirs.samples)
    return same and (ours.result, ours.epochs) == (theirs.result, theirs.epochs)


@pytest.fixture(
    scope="module",
    params=["confident-learning", *(pytest.param(name, marks=pytest.mark.slow) for name in ("aum", "ctrl"))],
)
def whole(request: pytest.FixtureRequest) -> tuple[str, Measurement]:
    return request.param, measure(TRIALS[request.param], None, CPU)


@pytest.mark.slow
def test_a_trial_resumes_after_each_write(whole: tuple[str, Measurement], tmp_path: Path) -> None:
    name, expected = whole
    stops = 0
    for writes in range(1, 20):
        folder = tmp_path / str(writes)
        try:
            measure(TRIALS[name], None, CPU, StoppingCheckpoints(folder, writes))
        except Stopped:
            stops += 1
        else:
            break
        assert equal(measure(TRIALS[name], None, CPU, Checkpoints(folder, epoch_seconds=0)), expected)
    fits = {"confident-learning": 2, "aum": 2, "ctrl": 1}[name]
    assert stops == fits * 3  # two epochs and the finished fit, each


def test_finished_runs_are_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = TRIALS["aum"]
    measure(trial, None, CPU, Checkpoints(tmp_path))

    def never(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("noisebench.training.fits.train", never)
    assert measure(trial, None, CPU, Checkpoints(tmp_path)).result["samples"] == 200


def test_a_damaged_checkpoint_is_ignored(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write("run-0", {"rows": "[]", "tensors": {"a": torch.ones(3)}})
    path = tmp_path / "run-0.pt"
    assert checkpoints.read("run-0") is not None
    path.write_bytes(path.read_bytes()[:200])
    assert checkpoints.read("run-0") is None
    assert not path.exists()


def test_checkpoints_are_unpickled_with_restrictions(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("hostile",)

    torch.save({"rows": Hostile()}, tmp_path / "run-0.pt")
    assert Checkpoints(tmp_path).read("run-0") is None


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    checkpoints = Checkpoints(None, epoch_seconds=0)
    checkpoints.write("run-0", {})
    assert checkpoints.read("run-0") is None
    assert not checkpoints.epoch_due
    assert list(tmp_path.iterdir()) == []
