"""UQ-LED by hand and on planted errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from noisebench.errors import DataError, InputError
from noisebench.science import confident_learning, dropout_passes
from noisebench.science.metrics import detection_metrics, ranking_metrics

if TYPE_CHECKING:
    from tests.science.conftest import PlantedDigits

FINDERS = [
    dropout_passes.find_mean,
    dropout_passes.find_mean_entropy,
    dropout_passes.find_ensemble,
    dropout_passes.find_algorithms,
]


@pytest.fixture(scope="module")
def passes(out_of_fold: np.ndarray) -> np.ndarray:
    """Five passes around the probabilities, as dropout gives them: each a softmax of disturbed logits."""
    noise = np.random.default_rng(0).normal(0, 0.5, (5, *out_of_fold.shape))
    raised = np.exp(np.log(out_of_fold) + noise)
    return raised / raised.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("find", FINDERS, ids=lambda find: find.__name__)
def test_planted_errors_are_found(
    planted_digits: PlantedDigits, passes: np.ndarray, find: dropout_passes.Find
) -> None:
    detection = find(planted_digits.labels, passes)
    assert ranking_metrics(detection.suspicion, planted_digits.wrong)["auroc"] >= 0.95
    assert detection_metrics(detection.flagged, planted_digits.wrong)["f1"] >= 0.7


def test_the_mean_of_the_passes_is_judged(planted_digits: PlantedDigits, passes: np.ndarray) -> None:
    labels = planted_digits.labels
    direct = confident_learning.find(labels, passes.mean(axis=0), "noise-rate")
    found = dropout_passes.find_mean(labels, passes)
    np.testing.assert_array_equal(found.flagged, direct.flagged)
    np.testing.assert_allclose(found.suspicion, direct.suspicion)
    gated = dropout_passes.find_mean_entropy(labels, passes)
    assert (gated.flagged != found.flagged).any()


def test_the_ensemble_counts_votes_of_passes(planted_digits: PlantedDigits, passes: np.ndarray) -> None:
    labels = planted_digits.labels
    votes = sum(confident_learning.find(labels, each, "noise-rate").flagged.astype(int) for each in passes)
    np.testing.assert_array_equal(dropout_passes.find_ensemble(labels, passes).flagged, votes >= 3)


def test_the_entropy_gate_by_hand() -> None:
    """Class 0 has p(0) of 0.95, 0.9, 0.25 and entropies of 0.199, 0.325, 0.562, mean 0.362; class 1 p(1) of
    0.95, 0.2, 0.65 and 0.199, 0.5, 0.647, mean 0.449. The third and fifth sample, confidently of the other
    class, are too uncertain to count.
    """
    p = np.array([[0.95, 0.05], [0.9, 0.1], [0.25, 0.75], [0.05, 0.95], [0.8, 0.2], [0.35, 0.65]])
    assert dropout_passes.gated_joint(np.array([0, 0, 0, 1, 1, 1]), p).tolist() == [[3, 0], [0, 3]]
    # Three of four labels of each class pass: counts 2 and 1, scaled to four labels.
    of_0 = np.array([0.99, 0.99, 0.01, 0.6, 0.01, 0.01, 0.99, 0.4])
    sure = np.stack([of_0, 1 - of_0], axis=1)
    assert dropout_passes.gated_joint(np.repeat([0, 1], 4), sure).tolist() == [[3, 1], [1, 3]]


def test_majority_is_more_than_half() -> None:
    flags = [np.array([True, True, False]), np.array([True, False, False])]
    assert dropout_passes.majority(flags).tolist() == [True, False, False]


@pytest.mark.parametrize("find", FINDERS, ids=lambda find: find.__name__)
def test_equal_passes_are_refused(find: dropout_passes.Find) -> None:
    equal = np.repeat(np.array([[[0.5, 0.5], [0.9, 0.1]]]), 3, axis=0)
    with pytest.raises(InputError, match="all 3 passes are equal, as the model has no dropout"):
        find(np.array([0, 1]), equal)


def test_one_pass_a_matrix_and_an_absent_class_are_refused() -> None:
    with pytest.raises(InputError, match=r"passes \[1, 2, 2\] must be \[T, N, K\] with T of 2"):
        dropout_passes.find_mean(np.array([0, 1]), np.full((1, 2, 2), 0.5))
    with pytest.raises(InputError, match=r"passes \[2, 2\]"):
        dropout_passes.find_mean(np.array([0, 1]), np.full((2, 2), 0.5))
    two = np.array([[[0.5, 0.5], [0.9, 0.1]], [[0.4, 0.6], [0.9, 0.1]]])
    with pytest.raises(DataError, match="no label names class 1"):
        dropout_passes.find_mean_entropy(np.array([0, 0]), two)


def test_passes_of_float16_are_renormalised(planted_digits: PlantedDigits, passes: np.ndarray) -> None:
    whole = dropout_passes.find_mean(planted_digits.labels, passes)
    half = dropout_passes.find_mean(planted_digits.labels, passes.astype(np.float16))
    assert (whole.flagged != half.flagged).sum() <= 3
    assert half.suspicion == pytest.approx(whole.suspicion, abs=1e-3)
