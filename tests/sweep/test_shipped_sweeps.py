"""The shipped sweeps contain the trials of the papers and the further questions."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from noisebench.catalogue.component import Component
from noisebench.catalogue.detector import AFTER_EPOCH, IN_PASSING
from noisebench.catalogue.detectors import DETECTORS
from noisebench.sweep.cost import Budget
from noisebench.sweep.identity import SWEPT_PARAMETER
from noisebench.sweep.sweep import Sweep, load_sweep
from noisebench.sweep.trial import Trial
from tests.trials import budgets_of_the_grid

SWEEPS = Path(__file__).parents[2] / "sweeps"
PAPER = ("table1", "table3", "table4", "table5", "fig2", "fig5", "bl-delay", "clean", "overfitting")


@pytest.fixture(scope="module")
def paper() -> dict[str, Budget]:
    """What each block of the whole grid costs."""
    return budgets_of_the_grid()


@pytest.mark.parametrize("path", sorted(SWEEPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_sweep_parses_and_is_named_as_its_file(path: Path) -> None:
    sweep = load_sweep(path)
    assert sweep.name == path.stem
    assert next(sweep.trials())


@pytest.mark.parametrize("path", sorted(SWEEPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_sweep_says_its_precision_and_why(path: Path) -> None:
    stated = re.search(r"^# Precision: (\w+)(?: and (\w+))?\. \w", path.read_text(), re.MULTILINE)
    assert stated is not None
    used = {trial.training.precision for trial in load_sweep(path).trials()}
    assert {name for name in stated.groups() if name} == used


def test_the_whole_grid_is_the_papers_size(paper: dict[str, Budget]) -> None:
    assert (*PAPER, "total") == tuple(paper)
    expected = {"table1": 7_680, "table3": 252, "table4": 360, "table5": 36, "fig2": 3, "fig5": 2_304}
    assert {name: paper[name].trials for name in expected} == expected
    assert paper["total"].trials == 10_477
    hours = {name: budget.v100_seconds / 3600 for name, budget in paper.items()}
    assert hours["table1"] == pytest.approx(1_280, abs=1)
    assert hours["total"] == pytest.approx(1_800, rel=0.03)


def test_the_whole_grid_is_taken_in_by_reference() -> None:
    text = (SWEEPS / "paper.yaml").read_text()
    assert "blocks:" not in text
    assert {line.strip("- \n") for line in text.splitlines() if line.endswith(".yaml")} == {
        path.name for path in SWEEPS.glob("paper-*.yaml")
    } | {"clean.yaml"}


@pytest.mark.parametrize(
    ("name", "data", "lacking"),
    [("detectors", ("digits", "mnist"), set()), ("detectors-cifar", ("cifar-10", "cifar-100"), {"passes"})],
)
def test_the_sweeps_of_detectors_have_all_of_them(
    name: str, data: tuple[str, ...], lacking: set[str]
) -> None:
    of_block = {
        block.name: {trial.detector.name for trial in block.trials}
        for block in load_sweep(SWEEPS / f"{name}.yaml").blocks
    }
    known = {key for key, each in DETECTORS.items() if not lacking & set(each.needs)} - {"none"}
    for each in data:
        assert of_block.pop(f"detectors-{each}") | of_block.pop(f"detectors-{each}-cyclic") == known
    assert of_block == {}


def judges(name: str, block: str) -> set[Component]:
    """Return the detectors of a block of a shipped sweep."""
    (found,) = [each for each in load_sweep(SWEEPS / f"{name}.yaml").blocks if each.name == block]
    return {trial.detector for trial in found.trials}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("detectors", "digits"),
        ("detectors", "mnist"),
        ("detectors-cifar", "cifar-10"),
        ("detectors-cifar", "cifar-100"),
    ],
)
def test_ctrl_judges_both_kinds_of_traces(name: str, data: str) -> None:
    kinds = [
        each.get("traces", IN_PASSING) for each in judges(name, f"detectors-{data}") if each.name == "ctrl"
    ]
    assert sorted(kinds) == [AFTER_EPOCH, IN_PASSING]


def test_cifar_100_has_the_detectors_of_cifar_10_with_the_authors_alpha() -> None:
    ten, hundred = (judges("detectors-cifar", f"detectors-cifar-{classes}") for classes in (10, 100))
    (of_ten,), (of_hundred,) = ten - hundred, hundred - ten
    assert (of_ten.name, of_ten["alpha"]) == ("ctrl-grid", 1)
    assert (of_hundred.name, of_hundred["alpha"]) == ("ctrl-grid", 0.25)


def parts(sweep: Sweep, block: str) -> set[tuple[Component, ...]]:
    """Return what the trials of a block are, seeds left out."""
    (found,) = [each for each in sweep.blocks if each.name == block]
    return {(trial.dataset, trial.corruption, trial.detector, trial.loss) for trial in found.trials}


def test_tuning_is_reported_on_other_seeds_than_it_chose_by() -> None:
    sweep = load_sweep(SWEEPS / "equal-tuning.yaml")
    seeds = {block.name: {trial.seed for trial in block.trials} for block in sweep.blocks}
    assert not seeds["choose"] & seeds["report"]
    assert parts(sweep, "choose") == parts(sweep, "report")
    losses = [loss for dataset, *_, loss in parts(sweep, "choose") if dataset.name == "MNIST"]
    tried = Counter(loss.name for loss in set(losses))
    assert tried.pop("CE") == 1
    assert set(tried) == {"FL", "GCE", "ANL-CE", "ANL-FL", "BL", "PZ"}
    assert set(tried.values()) == {9, 10}


def test_forms_of_blurry_loss_stand_beside_gce_at_equal_parameters() -> None:
    sweep = load_sweep(SWEEPS / "bl-forms.yaml")
    for block in sweep.blocks:
        losses = {trial.loss for trial in block.trials}
        forms = {(loss["gamma"], loss["form"]) for loss in losses if loss.name == "BL"}
        gammas = {gamma for gamma, _ in forms}
        assert 0.05 in gammas
        assert forms == {(g, form) for g in gammas for form in ("detached", "printed", "clamped")}
        assert {loss["q"] for loss in losses if loss.name == "GCE"} == gammas


def test_over_fitting_is_looked_for_beyond_the_papers_ten_epochs() -> None:
    (block,) = [b for b in load_sweep(SWEEPS / "clean.yaml").blocks if b.name == "overfitting"]
    for trial in block.trials:
        assert trial.training.epochs > 10
        assert (trial.corruption.name, trial.detector.name, trial.dynamics) == ("none", "none", True)


def test_rows_at_the_published_parameters_are_trials_of_the_main_grid() -> None:
    rows, grid = (load_sweep(SWEEPS / name).blocks[0] for name in ("mnist-rows.yaml", "paper-table1.yaml"))
    assert rows.name == grid.name == "table1"
    assert {trial.trial_id for trial in rows.trials} < {trial.trial_id for trial in grid.trials}
    assert {trial.seed for trial in rows.trials} == {0, 1, 2}
    asked = {(trial.dataset.name, trial.loss.name, _swept(trial)) for trial in rows.trials}
    with (SWEEPS.parent / "analysis" / "published.csv").open() as file:
        printed = {
            (row["dataset"], row["loss"], float(row["value"]) if row["value"] else None)
            for row in csv.DictReader(file)
            if row["source"] in ("table1", "table2") and "MNIST" in row["dataset"]
        }
    assert printed <= asked


def _swept(trial: Trial) -> float | None:
    name = SWEPT_PARAMETER.get(trial.loss.name)
    return None if name is None else trial.loss[name]
