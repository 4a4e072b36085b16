"""Confident learning against cleanlab called directly, and on planted errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from sklearn.metrics import roc_auc_score

from noisebench.errors import DataError, InputError
from noisebench.science import confident_learning
from noisebench.science.metrics import detection_metrics, guard

if TYPE_CHECKING:
    from tests.science.conftest import PlantedDigits


@pytest.mark.parametrize(
    ("prune", "filter_by"),
    [("class", "prune_by_class"), ("noise-rate", "prune_by_noise_rate"), ("both", "both")],
)
def test_flags_equal_cleanlab(
    planted_digits: PlantedDigits, out_of_fold: np.ndarray, prune: str, filter_by: str
) -> None:
    direct = find_label_issues(planted_digits.labels, out_of_fold, filter_by=filter_by, n_jobs=1)
    detection = confident_learning.find(planted_digits.labels, out_of_fold, prune)
    assert detection.flagged.dtype == np.bool_
    np.testing.assert_array_equal(detection.flagged, direct)
    assert direct.any()


def test_planted_errors_are_found(planted_digits: PlantedDigits, out_of_fold: np.ndarray) -> None:
    detection = confident_learning.find(planted_digits.labels, out_of_fold)
    assert roc_auc_score(planted_digits.wrong, detection.suspicion) >= 0.95
    assert detection_metrics(detection.flagged, planted_digits.wrong)["f1"] >= 0.8
    assert guard(detection.flagged, planted_digits.wrong) is None


def test_suspicion_is_one_minus_self_confidence() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], dtype=np.float32)
    detection = confident_learning.find(np.array([0, 0, 1]), probabilities)
    np.testing.assert_allclose(detection.suspicion, [0.1, 0.8, 0.3], rtol=1e-6)
    assert detection.suspicion.dtype == np.float64


def test_a_class_with_one_sample_is_enough() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8]])
    assert not confident_learning.find(np.array([0, 0, 1]), probabilities).flagged.any()


@pytest.mark.parametrize(
    ("labels", "probabilities", "error", "message"),
    [
        ([0, 1], [[0.5, 0.3, 0.2]] * 2, DataError, "no label names class 2 of 0 to 2"),
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], DataError, "probabilities of 1 samples are not finite"),
        ([0, 2], [[0.5, 0.5]] * 2, DataError, "a label is outside 0 to 1"),
        ([0, 1, 1], [[0.5, 0.5]] * 2, InputError, r"labels \[3\] and probabilities \[2, 2\]"),
    ],
)
def test_bad_input_is_refused(
    labels: list[int], probabilities: list[list[float]], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        confident_learning.find(np.array(labels), np.array(probabilities))


def test_an_unknown_pruning_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="prune 'all' is unknown; known: class, noise-rate, both"):
        confident_learning.find(np.array([0, 1]), np.eye(2), "all")
