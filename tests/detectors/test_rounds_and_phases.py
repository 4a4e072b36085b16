"""Trainings in rounds (Late Stopping) and in phases (SelNLPL)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from noisebench.data.datasets import load_dataset
from noisebench.detectors import late_stopping
from noisebench.detectors.negative_learning import PhaseSelection
from noisebench.records.checkpoints import Checkpoints
from noisebench.science.evidence import Evidence
from noisebench.sweep.cost import OVERHEAD_SECONDS, catalogued_seconds
from noisebench.sweep.trial import Trial
from noisebench.training.objective import Objective
from noisebench.training.surrogate import Surrogate, isolated_torch
from noisebench.trial.measurement import measure
from tests.training.test_resume import Stopped, StoppingCheckpoints, equal
from tests.trials import trial_of

CPU = torch.device("cpu")
ROUNDS = "{name: late-stopping, rate: 0.4, rounds: 2, skip_epochs: 1}"
ESTIMATED = "{name: late-stopping, rounds: 2, skip_epochs: 0}"
PHASES = "{name: selnlpl-schedule, epochs: 2}"


def trial(detector: str, epochs: int = 3) -> Trial:
    training = f"{{epochs: {epochs}, batch_size: 32, learning_rate: 0.003}}"
    return trial_of(dataset="{name: digits, samples: 200}", detector=detector, training=training)


def rounds_of(trial: Trial) -> tuple[Evidence, list[dict[str, object]]]:
    with isolated_torch(CPU):
        surrogate = Surrogate.of(trial, load_dataset(trial.dataset, None), CPU, Checkpoints(), None)
        return late_stopping.gather(surrogate, {}), surrogate.rows


@pytest.mark.slow
def test_a_round_that_ends_early_has_the_result_of_a_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    found, rows = rounds_of(trial(ROUNDS, epochs=14))
    assert found.kept_rounds is not None
    kept = [(found.kept_rounds >= number).sum() for number in (1, 2)]
    needed = [int(200 * 0.6 ** (number / 2)) for number in (1, 2)]
    assert all(many >= least for many, least in zip(kept, needed, strict=True))
    assert len(rows) < 2 * 14
    monkeypatch.setattr(late_stopping.RoundWatcher, "finished", lambda _: False)
    whole, all_rows = rounds_of(trial(ROUNDS, epochs=14))
    assert len(all_rows) == 2 * 14
    assert np.array_equal(whole.kept_rounds, found.kept_rounds)


def test_the_first_round_takes_all_epochs_to_estimate_the_rate() -> None:
    _, rows = rounds_of(trial(ESTIMATED, epochs=5))
    assert [row["epoch"] for row in rows if row["fold"] == 0] == list(range(5))


def test_phases_choose_by_the_mean_of_the_epochs_before() -> None:
    phases = PhaseSelection(trial(PHASES, epochs=6), 2, 2, CPU)
    targets, batch = torch.zeros(1, 2, dtype=torch.int64), torch.tensor([[1, 0]])
    given = Objective.of(trial(PHASES).loss)
    chosen, names = [], []
    # The probabilities of the given label of samples 1 and 0, one pair in each epoch.
    for epoch, of_label in enumerate(
        [(0.9, 0.1), (0.9, 0.1), (0.1, 0.4), (0.7, 0.9), (0.9, 0.2), (0.5, 0.5)]
    ):
        p = torch.tensor(of_label)
        logits = torch.stack([p, 1 - p], 1).log().unsqueeze(0)
        chosen.append(phases.choose(epoch, logits, targets, batch)[0].tolist())
        names.append(phases.objective(epoch, given).name)
    assert names == ["NL"] * 4 + ["CE"] * 2
    # Means of two epochs before epochs 2 to 5: (0.9, 0.1), (0.5, 0.25), (0.4, 0.65), (0.8, 0.55).
    assert chosen == [[True, True]] * 2 + [[True, False]] * 2 + [[False, True], [True, True]]


@pytest.mark.parametrize(
    ("detector", "writes"),
    [
        (ESTIMATED, 4),
        (PHASES, 3),
        pytest.param(ROUNDS, 4, marks=pytest.mark.slow),
    ],
)
def test_a_training_resumes_after_each_write(detector: str, writes: int, tmp_path: Path) -> None:
    expected = measure(trial(detector), None, CPU)
    for number in range(1, writes + 1):
        folder = tmp_path / str(number)
        with pytest.raises(Stopped):
            measure(trial(detector), None, CPU, StoppingCheckpoints(folder, number))
        resumed = measure(trial(detector), None, CPU, Checkpoints(folder, epoch_seconds=0))
        assert equal(resumed, expected), number


def test_the_cost_of_rounds_and_phases_is_that_of_their_trainings() -> None:
    single, rounds, phases = (
        catalogued_seconds(trial(detector), gpu=False) - OVERHEAD_SECONDS
        for detector in ("{name: mean-loss, traces: after-epoch}", ROUNDS, PHASES)
    )
    assert rounds == pytest.approx(2 * single)
    assert phases == pytest.approx(catalogued_seconds(trial("none"), gpu=False) - OVERHEAD_SECONDS)
