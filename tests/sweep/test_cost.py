"""What a sweep will cost."""

from pathlib import Path

import pytest

from noisebench.catalogue.models import MODELS
from noisebench.sweep.cost import CPU_RATES, V100_RATES, budgets, seconds_for
from noisebench.sweep.sweep import load_sweep
from tests.trials import sweep_of, trial_of

SWEEPS = Path(__file__).parents[2] / "sweeps"


@pytest.mark.parametrize(
    ("dataset", "detector", "minutes"),
    [("MNIST", "confident-learning", 5), ("CIFAR-100", "confident-learning", 15), ("CIFAR-100", "aum", 150)],
)
def test_a_v100_takes_what_the_papers_took(dataset: str, detector: str, minutes: float) -> None:
    trial = trial_of(dataset=dataset, detector=detector, training="{}")
    assert seconds_for(trial, V100_RATES) / 60 == pytest.approx(minutes, rel=0.001)


def test_every_model_has_a_rate() -> None:
    for rates in (CPU_RATES, V100_RATES):
        assert {model for model, _ in rates} == set(MODELS)


def test_completed_trials_cost_nothing() -> None:
    sweep = sweep_of("[CE, GCE]", seeds="2")
    done = {trial.trial_id for trial in sweep.trials() if trial.loss.name == "CE"}
    (block, total) = budgets(sweep, done)
    assert (block.trials, block.completed) == (4, 2)
    assert block.cpu_seconds == pytest.approx(budgets(sweep, set())[0].cpu_seconds / 2)
    assert total.cpu_seconds == block.cpu_seconds


def test_a_trial_shared_by_blocks_is_counted_once() -> None:
    found = {budget.block: budget for budget in budgets(load_sweep(SWEEPS / "paper.yaml"), set())}
    assert found["total"].trials < sum(budget.trials for name, budget in found.items() if name != "total")
