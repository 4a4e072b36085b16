"""The probability that a label is wrong, on labels whose noise is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from noisebench.errors import DataError
from noisebench.science.label_posterior import LEAST, calibrated, wrong_label

CLASSES = 4


def noisy(rate: float, samples: int = 4000, sharpness: float = 8) -> tuple[NDArray, NDArray, NDArray]:
    """Return given labels, whether each is wrong, and the exact probabilities of the given labels."""
    rng = np.random.default_rng(0)
    logits = sharpness * rng.normal(size=(samples, CLASSES))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    drawn = (rng.random(samples)[:, None] > true.cumsum(axis=1)).sum(axis=1)
    wrong = rng.random(samples) < rate
    given = np.where(wrong, (drawn + rng.integers(1, CLASSES, samples)) % CLASSES, drawn)
    return given, wrong, (1 - rate) * true + rate * (1 - true) / (CLASSES - 1)


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.4])
def test_the_probability_is_that_of_being_wrong(rate: float) -> None:
    given, wrong, probabilities = noisy(rate, samples=20_000)
    found = wrong_label(given, probabilities)
    assert found.mean() == pytest.approx(wrong.mean(), rel=0.1)
    for low, high in ((0.0, 0.2), (0.2, 0.6), (0.6, 1.0)):
        part = (found >= low) & (found <= high)
        assert found[part].mean() == pytest.approx(wrong[part].mean(), abs=0.08)


@pytest.mark.parametrize("power", [0.3, 3.0])
def test_it_does_not_depend_on_how_sure_the_model_is(power: float) -> None:
    given, _, probabilities = noisy(0.1)
    other = probabilities**power / (probabilities**power).sum(axis=1, keepdims=True)
    assert wrong_label(given, other) == pytest.approx(wrong_label(given, probabilities), abs=1e-3)
    assert calibrated(given, other) == pytest.approx(probabilities, abs=0.05)


def test_right_labels_that_a_model_knows_are_not_flagged() -> None:
    given, _, probabilities = noisy(0.0, sharpness=30)
    assert (wrong_label(given, probabilities) >= LEAST).mean() < 0.01


def test_unrelated_labels_and_probabilities_stay_in_the_unit_interval() -> None:
    rng = np.random.default_rng(0)
    found = wrong_label(rng.integers(0, 4, 400), np.eye(4)[rng.integers(0, 4, 400)])
    assert ((found >= 0) & (found <= 1)).all()


def test_logits_are_refused() -> None:
    with pytest.raises(DataError, match="give softmax probabilities"):
        wrong_label(np.array([0, 1]), np.array([[3.0, 1.0], [0.5, 0.5]]))
