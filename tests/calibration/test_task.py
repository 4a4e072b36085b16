"""What `noisebench calibrate` measures of a sweep, or of a model."""

from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from noisebench.calibration.task import Task, tasks_of, typical_tasks
from noisebench.catalogue.component import Component
from noisebench.catalogue.models import MODELS
from noisebench.errors import InputError
from noisebench.science.models import build
from noisebench.sweep.sweep import load_sweep
from tests.trials import sweep_of

SWEEPS = Path(__file__).parents[2] / "sweeps"
BOTH = ["reference", "fast"]


def shown(tasks: Iterable[Task]) -> list[tuple[str, int, str, str]]:
    """Return (model, height, detector, precision) of each."""
    return [(t.training.model, t.shape[1], t.detector.name, t.training.precision) for t in tasks]


@pytest.mark.slow
def test_the_papers_grid_is_measured_in_both_precisions_with_its_own_detectors() -> None:
    assert shown(tasks_of(load_sweep(SWEEPS / "paper.yaml").trials(), "cpu", 1.0)) == [
        (model, height, detector, precision)
        for model, height, detector in (
            ("small-cnn", 28, "confident-learning"),
            ("resnet-34", 32, "confident-learning"),
            ("resnet-32", 32, "aum"),
        )
        for precision in BOTH
    ]


def test_the_plan_that_most_trainings_have_is_measured() -> None:
    """Three detectors judge one training of folds, each run of AUM is another training."""
    folds = ["confident-learning", "self-confidence", "normalized-margin"]
    detectors = ", ".join((*folds, "{name: aum, runs: [2, 3]}"))
    sweep = sweep_of(detector=f"[{detectors}]")
    (reference, _) = tasks_of(sweep.trials(), "cpu", 1.0)
    assert (reference.detector.name, reference.plan.name) == ("aum", "aum-runs")


def test_without_folds_one_fit_on_all_samples_is_measured() -> None:
    sweep = sweep_of(dataset="CIFAR-100-cleaned-test", detector="confident-learning", training="{epochs: 1}")
    tasks = tasks_of(sweep.trials(), "cpu", 1.0)
    assert [task.detector for task in tasks] == [Component.of("none")] * 2


@pytest.mark.parametrize(("reads", "plan"), [("probabilities", "folds"), ("losses", "single")])
def test_the_code_of_a_users_detector_is_not_run(
    reads: str, plan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(f"def suspicion(labels, {reads}):\n    raise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    tasks = tasks_of(sweep_of(detector='"mine:suspicion"').trials(), "cpu", 1.0)
    assert {task.plan.name for task in tasks} == {plan}
    assert "mine" not in "".join(task.detector.name for task in tasks)


@pytest.mark.parametrize("model", [*MODELS, "torchvision:resnet18"])
def test_every_model_has_a_typical_training(model: str) -> None:
    reference, fast = typical_tasks(model, "cpu", 1.0)
    assert [task.training.precision for task in (reference, fast)] == BOTH
    assert reference.training.model == model
    classifier = build(model, reference.shape, 10).eval()
    assert classifier(torch.zeros(1, *reference.shape)).shape == (1, 10)


def test_models_of_a_recipe_are_measured_as_the_papers_train_them() -> None:
    typical = {model: typical_tasks(model, "cpu", 1.0)[0] for model in ("resnet-32", "small-cnn")}
    aum = typical["resnet-32"]
    assert (aum.detector.name, aum.detector["runs"], aum.training.optimizer) == ("aum", 2, "nesterov")
    assert (typical["small-cnn"].shape, typical["small-cnn"].training.input_scale) == ((1, 28, 28), "raw")


@pytest.mark.parametrize("name", ["resnet-50", "torchvision:resnet99"])
def test_an_unknown_model_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match=rf"{name}.*resnet34|{name}.*resnet-34"):
        typical_tasks(name, "cpu", 1.0)


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_folds_have_equal_sizes(folds: int) -> None:
    sweep = sweep_of(detector=f"{{name: confident-learning, folds: {folds}}}")
    task = tasks_of(sweep.trials(), "cpu", 1.0)[0]
    for trial in (task.trial(), task.short_trial()):
        assert trial.dataset["count"] % folds == 0
        assert trial.dataset["count"] >= 100
    assert task.images_of_a_fit(task.trial()) >= 8 * task.training.batch_size
