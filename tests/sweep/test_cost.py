"""What a sweep will cost."""

import pytest

from noisebench.catalogue.gpus import EFFICIENCY, GPUS
from noisebench.catalogue.models import MODELS
from noisebench.sweep.cost import JUDGEMENT_SECONDS, budgets, catalogued_seconds
from tests.trials import budgets_of_the_grid, sweep_of, trial_of

PASSING = "{name: ctrl, traces: in-passing}"
CONFIDENT = "{name: confident-learning, folds: 5, prune: both}"


@pytest.mark.parametrize(
    ("dataset", "detector", "minutes"),
    [("MNIST", "confident-learning", 5), ("CIFAR-100", "confident-learning", 15), ("CIFAR-100", "aum", 150)],
)
def test_a_v100_takes_what_the_papers_took(dataset: str, detector: str, minutes: float) -> None:
    trial = trial_of(dataset=dataset, detector=detector, training="{}")
    assert catalogued_seconds(trial, gpu=True) / 60 == pytest.approx(minutes, rel=0.001)


@pytest.mark.parametrize("model", [*MODELS, "torchvision:resnet18"])
def test_every_model_has_a_cost(model: str) -> None:
    (block, _) = budgets(sweep_of(training=f"{{model: '{model}', epochs: 2, pretrained: false}}"), set())
    assert min(block.cpu_seconds, block.v100_seconds) > 1


def test_completed_trials_cost_nothing() -> None:
    sweep = sweep_of("[CE, GCE]", seeds="2")
    done = {trial.trial_id for trial in sweep.trials() if trial.loss.name == "CE"}
    (block, total) = budgets(sweep, done)
    assert (block.trials, block.completed) == (4, 2)
    assert block.cpu_seconds == pytest.approx(budgets(sweep, set())[0].cpu_seconds / 2)
    assert total.cpu_seconds == block.cpu_seconds


@pytest.mark.slow
def test_a_trial_shared_by_blocks_is_counted_once() -> None:
    found = budgets_of_the_grid()
    assert found["total"].trials < sum(budget.trials for name, budget in found.items() if name != "total")


def test_hours_without_a_measurement_follow_from_the_counted_operations() -> None:
    (block, _) = budgets(sweep_of(dataset="CIFAR-100", detector=CONFIDENT, training="{}"), set())
    trained, evaluated = 5 * 40_000 * 10, 50_000 + 5 * 10_000
    flop = trained * 6_952_876_032 + evaluated * 2_318_804_992
    seconds = block.unmeasured_seconds["H200"]
    assert seconds["reference"] == pytest.approx(1 + flop / (0.6 * 67e12), rel=1e-9)
    assert seconds["fast"] == pytest.approx(1 + flop / (0.25 * 989e12), rel=1e-9)


def test_small_models_take_the_time_of_their_operations() -> None:
    (block, _) = budgets(sweep_of(dataset="MNIST", detector=CONFIDENT, training="{}"), set())
    steps = 5 * 48_000 * 10 / 64
    evaluation = (60_000 + 5 * 10_000) * 23_984_896
    expected = 1 + steps * 66 * 10e-6 + evaluation / (0.6 * 67e12)
    assert block.unmeasured_seconds["H200"]["reference"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_the_grid_has_hours_with_and_without_fast() -> None:
    total = budgets_of_the_grid()["total"]
    assert set(total.unmeasured_seconds) == set(GPUS)
    for seconds in total.unmeasured_seconds.values():
        assert set(seconds) == set(EFFICIENCY) == {"reference", "fast"}
        assert seconds["fast"] < seconds["reference"] / 3
    hours = total.as_dict()["unmeasured_gpu_hours"]["H200"]
    assert hours == {name: s / 3600 for name, s in total.unmeasured_seconds["H200"].items()}
    assert hours["reference"] == pytest.approx(572, abs=1)
    assert hours["fast"] == pytest.approx(97, abs=1)


def test_detectors_on_the_same_training_cost_one_training() -> None:
    lists = (
        PASSING,
        f"[{PASSING}, {{name: small-loss, traces: in-passing}}]",
        f"[{PASSING}, ctrl]",
        f"[{PASSING}, aum]",
    )
    plain, *several = (budgets(sweep_of(detector=detector), set())[-1] for detector in lists)
    assert [budget.trials for budget in several] == [2, 2, 2]
    assert [budget.trainings for budget in (plain, *several)] == [1, 1, 1, 2]
    shared, evaluated, apart = (budget.cpu_seconds - plain.cpu_seconds for budget in several)
    assert shared == pytest.approx(JUDGEMENT_SECONDS)
    assert shared < evaluated < apart


def test_kept_evidence_is_not_trained_again() -> None:
    sweep = sweep_of(detector=f"[{PASSING}, ctrl, aum]")
    ctrl, _, aum = sweep.trials()
    kept = {ctrl.evidence_id: {"in-passing.losses"}, "another": {"margins_of_runs"}}
    (partly, _), (whole, _), (alone, _) = (
        budgets(sweep, set(), None, kept),
        budgets(sweep, set(), None, {ctrl.evidence_id: {"in-passing.losses", "after-epoch.losses"}}),
        budgets(sweep, {trial.trial_id for trial in sweep.trials() if trial != aum}),
    )
    assert (partly.trainings, whole.trainings) == (2, 1)
    assert whole.cpu_seconds == pytest.approx(alone.cpu_seconds + 2 * JUDGEMENT_SECONDS)
    assert whole.as_dict()["judgements"] == 3


def test_the_hours_of_a_v100_are_not_called_published() -> None:
    """The paper prints the sum of its hours and the minutes of a trial, but no hours of a block."""
    assert "V100 hours from published minutes" in budgets(sweep_of(), set())[0].header()
