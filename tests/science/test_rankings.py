"""Rankings by hand, against cleanlab called directly, on planted errors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from noisebench.detectors.given import detectors, judge
from noisebench.errors import DataError, InputError
from noisebench.science import rankings
from noisebench.science.metrics import detection_metrics, ranking_metrics

if TYPE_CHECKING:
    from tests.science.conftest import PlantedDigits

LABELS = np.array([0, 1, 0, 1])
P = np.array([[0.9, 0.1], [0.8, 0.2], [0.25, 0.75], [0.5, 0.5]])


def test_self_confidence_and_margin_by_hand() -> None:
    assert rankings.self_confidence(LABELS, P) == pytest.approx([0.1, 0.8, 0.75, 0.5])
    three = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    # 1 - (0.3 - 0.5 + 1) / 2 and 1 - (0.7 - 0.2 + 1) / 2
    assert rankings.normalized_margin(np.array([1, 2]), three) == pytest.approx([0.6, 0.25])


def test_confidence_weighted_entropy_by_hand() -> None:
    suspicion = rankings.confidence_weighted_entropy(LABELS, P)
    # Entropies in bits, as K = 2; the last has c = 1 / 0.5 = 2.
    bits = -(0.8 * math.log2(0.8) + 0.2 * math.log2(0.2))
    assert suspicion[1] == pytest.approx(1 - math.log(1 + bits / 0.2) / (bits / 0.2))
    assert suspicion[3] == pytest.approx(1 - math.log(3) / 2)


def test_predicted_not_given_takes_the_first_of_equal_classes() -> None:
    assert rankings.predicted_not_given(LABELS, P).tolist() == [0, 1, 1, 1]
    detection = rankings.find_predicted_not_given(LABELS, P)
    assert detection.flagged.tolist() == [False, True, True, True]
    assert detection.suspicion == pytest.approx([0.1, 0.8, 0.75, 0.5])


def test_rankings_equal_cleanlab(planted_digits: PlantedDigits, out_of_fold: np.ndarray) -> None:
    p, labels = rankings.renormalised(out_of_fold), planted_digits.labels
    for name in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
        direct = 1 - get_label_quality_scores(labels, p, method=name)
        np.testing.assert_allclose(getattr(rankings, name)(labels, out_of_fold), direct, rtol=1e-9, atol=1e-9)


def test_a_label_that_is_certain_is_not_suspect() -> None:
    certain = np.array([[1.0, 0.0], [1 - 1e-9, 1e-9], [0.0, 1.0], [0.6, 0.4]])
    suspicion = rankings.confidence_weighted_entropy(np.zeros(4, dtype=np.int64), certain)
    assert suspicion[0] == 0
    assert suspicion[1] < 1e-6
    assert suspicion[2] == 1
    # cleanlab holds the second, which is almost certain, for more suspect than the last.
    direct = get_label_quality_scores(
        np.zeros(4, dtype=np.int64), certain, method="confidence_weighted_entropy"
    )
    assert direct[1] < direct[3]


@pytest.mark.parametrize(
    ("name", "of_cleanlab"),
    [
        ("self-confidence", "low_self_confidence"),
        ("normalized-margin", "low_normalized_margin"),
        ("predicted-not-given", "predicted_neq_given"),
    ],
)
def test_flags_equal_cleanlab(
    planted_digits: PlantedDigits, out_of_fold: np.ndarray, name: str, of_cleanlab: str
) -> None:
    probabilities = rankings.renormalised(out_of_fold)
    found = judge(detectors()[name], planted_digits.labels, probabilities).detection
    assert found is not None
    direct = find_label_issues(planted_digits.labels, probabilities, filter_by=of_cleanlab, n_jobs=1)
    np.testing.assert_array_equal(found.flagged, direct)
    # The disagreeing samples of this weak model are not all wrong labels.
    least = 0.5 if name == "predicted-not-given" else 0.7
    assert detection_metrics(found.flagged, planted_digits.wrong)["f1"] >= least


def test_the_count_of_errors_is_that_of_the_confident_joint() -> None:
    # Thresholds: the mean of p(0) over labels 0 is 0.6, of p(1) over labels 1 is 0.6. Sample 2 exceeds that
    # of class 1, sample 5 that of class 0; all others are confidently of their own class or of none.
    labels = np.array([0, 0, 0, 1, 1, 1])
    p_of_0 = np.array([0.9, 0.8, 0.1, 0.1, 0.2, 0.9])
    assert rankings.estimated_errors(labels, np.stack([p_of_0, 1 - p_of_0], axis=1)) == 2


@pytest.mark.parametrize("name", list(rankings.RANKINGS))
def test_planted_errors_rank_high(planted_digits: PlantedDigits, out_of_fold: np.ndarray, name: str) -> None:
    suspicion = rankings.RANKINGS[name](planted_digits.labels, out_of_fold)
    # A score of two values cannot rank within its groups.
    least = 0.9 if name == "predicted-not-given" else 0.95
    assert ranking_metrics(suspicion, planted_digits.wrong)["auroc"] >= least


def test_rows_of_float16_are_renormalised(planted_digits: PlantedDigits, out_of_fold: np.ndarray) -> None:
    half = out_of_fold.astype(np.float16)
    assert np.abs(half.astype(np.float64).sum(axis=1) - 1).max() > 1e-5
    np.testing.assert_allclose(rankings.renormalised(half).sum(axis=1), 1, rtol=1e-12)
    exact = rankings.self_confidence(planted_digits.labels, out_of_fold)
    assert rankings.self_confidence(planted_digits.labels, half) == pytest.approx(exact, abs=1e-3)


def test_one_sample_has_a_rank_but_no_count() -> None:
    labels, p = np.array([0]), np.array([[0.3, 0.7]])
    for ranking in rankings.RANKINGS.values():
        assert ranking(labels, p).shape == (1,)
    with pytest.raises(DataError, match="all labels are equal"):
        rankings.estimated_errors(labels, p)


@pytest.mark.parametrize(
    ("labels", "rows", "error", "message"),
    [
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], DataError, "1 rows .* the first is row 1"),
        ([0, 1], [[1.5, -0.5], [0.5, 0.5]], DataError, "negative or not finite, the first is row 0"),
        ([0, 1], [[0.5, 0.5], [3.0, 1.0]], DataError, "the first is row 1 with 4; give softmax"),
        ([0, 2], [[0.5, 0.5]] * 2, DataError, "a label is outside 0 to 1"),
        ([0], [[0.5, 0.5]] * 2, InputError, r"must be \[N\] and \[N, K\]"),
    ],
)
def test_bad_input_is_refused(
    labels: list[int], rows: list[list[float]], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        rankings.self_confidence(np.array(labels), np.array(rows))
