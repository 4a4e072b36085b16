"""What a configuration changes of its data set's recipe."""

from typing import Any

import pytest

from analysis.recipes import recipe_differences, recipe_text
from noisebench.sweep.sweep import parse_sweep

PLAIN = {
    "dataset": "MNIST",
    "corruption": "{kind: uniform, rate: 0.2}",
    "detector": "confident-learning",
    "loss": "CE",
    "seeds": "1",
}


def text_of(**fields: str) -> str:
    """Return the recipe text of the first trial of a block with these fields."""
    block = "".join(f"    {name}: {value}\n" for name, value in (PLAIN | fields).items())
    trial = next(parse_sweep(f"sweep: s\nblocks:\n  b:\n{block}", "s.yaml").trials())
    return recipe_text(recipe_differences(trial.as_fields()))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"training": "{precision: fast}"},
        {"loss": "{name: BL, gamma: 0.4, delay: 2}"},
        {"dynamics": "true"},
        {"dataset": "CIFAR-10N-worst", "corruption": "human"},
        {"corruption": "none", "detector": "none"},
    ],
)
def test_the_recipe_itself_has_no_differences(fields: dict[str, str]) -> None:
    """Loss, arithmetic and what is recorded are no part of it."""
    assert text_of(**fields) == ""


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"training": "{learning_rate: 0.0003, input_scale: unit}"},
            "input_scale unit, learning_rate 0.0003",
        ),
        ({"training": "{schedule: {name: step, every: 5, factor: 0.5}}"}, "schedule step 5 0.5"),
        ({"corruption": "{kind: uniform, rate: 0.2, exact: true}"}, "exact true"),
        ({"detector": "{name: confident-learning, folds: 10}"}, "folds 10"),
        ({"dataset": "CIFAR-100", "detector": "{name: aum, threshold: paper}"}, "threshold paper"),
        (
            {
                "dataset": "{name: CIFAR-100-cleaned-test, corrupt_training: false}",
                "detector": "confident-learning",
            },
            "corrupt_training false",
        ),
    ],
)
def test_every_other_choice_is_named(fields: dict[str, str], expected: str) -> None:
    differences = text_of(**fields).split(", ")
    assert sorted(differences) == sorted(expected.split(", "))


def test_a_users_data_set_has_no_recipe_and_is_not_imported() -> None:
    config: dict[str, Any] = {
        "dataset": {"name": "missing_module:images"},
        "corruption": {"name": "uniform", "rate": 0.2},
        "detector": {"name": "confident-learning"},
    }
    assert recipe_differences(config) == {}
