"""Metrics by hand, those of rankings also against scikit-learn."""

import math

import numpy as np
import pytest

from noisebench.errors import InputError
from noisebench.science.metrics import detection_metrics, guard, ranking_metrics


def _mask(text: str) -> np.ndarray:
    return np.array([character == "1" for character in text], dtype=np.bool_)


def test_metrics_equal_a_calculation_by_hand() -> None:
    metrics = detection_metrics(_mask("1110000000"), _mask("1100110000"))
    assert metrics == {
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(1 / 2),
        "f1": pytest.approx(4 / 7),
        "specificity": pytest.approx(5 / 6),
        "balanced_accuracy": pytest.approx(2 / 3),
        "flagged": 3,
        "correct": 2,
        "wrong_labels": 4,
        "samples": 10,
    }
    assert all(type(metrics[key]) is int for key in ("flagged", "correct", "wrong_labels", "samples"))
    assert all(
        type(metrics[key]) is float
        for key in ("precision", "recall", "f1", "specificity", "balanced_accuracy")
    )


def _close(values: dict[str, float | int], **expected: float) -> bool:
    return all(
        math.isnan(values[key]) if math.isnan(value) else values[key] == value
        for key, value in expected.items()
    )


def test_perfect_flags_have_metrics_of_one() -> None:
    wrong = _mask("0101")
    assert _close(
        detection_metrics(wrong, wrong), precision=1, recall=1, f1=1, specificity=1, balanced_accuracy=1
    )


def test_without_flags_precision_and_f1_are_zero() -> None:
    metrics = detection_metrics(_mask("0000"), _mask("0110"))
    assert _close(metrics, precision=0, recall=0, f1=0, specificity=1, balanced_accuracy=0.5, flagged=0)


def test_without_wrong_labels_recall_and_f1_are_nan() -> None:
    metrics = detection_metrics(_mask("1000"), _mask("0000"))
    assert _close(
        metrics, precision=0, recall=math.nan, f1=math.nan, specificity=0.75, balanced_accuracy=math.nan
    )


def test_without_right_labels_specificity_is_nan() -> None:
    metrics = detection_metrics(_mask("1100"), _mask("1111"))
    assert _close(metrics, precision=1, recall=0.5, specificity=math.nan, balanced_accuracy=math.nan)
    assert metrics["f1"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("flagged", "wrong", "verdict"),
    [
        ("0000", "1000", "flags-nothing"),
        ("1111", "1000", "flags-everything"),
        ("1100", "1010", "no-better-than-chance"),
        ("0011", "1100", "no-better-than-chance"),
        ("1100", "1000", None),
    ],
)
def test_the_guard_names_results_that_say_nothing(flagged: str, wrong: str, verdict: str | None) -> None:
    assert guard(_mask(flagged), _mask(wrong)) == verdict


@pytest.mark.parametrize(
    ("flagged", "wrong"),
    [(np.array([1, 0]), _mask("10")), (_mask("101"), _mask("10")), (_mask("10")[None], _mask("10")[None])],
)
def test_what_is_not_two_masks_is_refused(flagged: np.ndarray, wrong: np.ndarray) -> None:
    for measure in (detection_metrics, guard):
        with pytest.raises(InputError, match=r"must both be bool \[N\]"):
            measure(flagged, wrong)


def test_ranking_metrics_by_hand() -> None:
    # In falling suspicion: wrong, right, wrong, right. Three of four pairs are in order; precision at the
    # wrong ones is 1 and 2/3.
    metrics = ranking_metrics(np.array([0.9, 0.5, 0.7, 0.1]), _mask("1100"))
    assert metrics == {"auroc": 0.75, "average_precision": pytest.approx(5 / 6), "judged": 4}


def test_ties_count_half() -> None:
    assert ranking_metrics(np.array([1.0, 1.0, 0.0]), _mask("101"))["auroc"] == 0.25
    equal = ranking_metrics(np.zeros(4), _mask("1000"))
    assert (equal["auroc"], equal["average_precision"]) == (0.5, 0.25)


def test_samples_without_suspicion_are_left_out() -> None:
    whole = ranking_metrics(np.array([3.0, 1.0, 2.0]), _mask("010"))
    parted = ranking_metrics(np.array([np.nan, 3.0, 1.0, 2.0, np.nan]), _mask("10101"))
    assert parted == whole
    assert whole["judged"] == 3


def test_infinite_suspicion_is_the_highest() -> None:
    assert ranking_metrics(np.array([np.inf, 0.0, -np.inf]), _mask("100"))["auroc"] == 1


@pytest.mark.parametrize(
    ("suspicion", "wrong"),
    [([0.1, 0.2], "00"), ([0.1, 0.2], "11"), ([0.5], "1"), ([np.nan, 0.2], "10"), ([np.nan], "1"), ([], "")],
)
def test_one_group_alone_has_no_ranking(suspicion: list[float], wrong: str) -> None:
    metrics = ranking_metrics(np.array(suspicion, dtype=np.float64), _mask(wrong))
    assert math.isnan(metrics["auroc"])
    assert math.isnan(metrics["average_precision"])


def test_suspicion_of_another_length_is_refused() -> None:
    with pytest.raises(InputError, match=r"suspicion \[3\] and wrong bool \[2\]"):
        ranking_metrics(np.zeros(3), _mask("01"))
