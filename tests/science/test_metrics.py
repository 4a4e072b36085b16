"""Metrics by hand."""

import math

import numpy as np
import pytest

from noisebench.errors import InputError
from noisebench.science.metrics import detection_metrics, guard


def _mask(text: str) -> np.ndarray:
    return np.array([character == "1" for character in text], dtype=np.bool_)


def test_by_hand() -> None:
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


def test_perfect_flags() -> None:
    wrong = _mask("0101")
    assert _close(
        detection_metrics(wrong, wrong), precision=1, recall=1, f1=1, specificity=1, balanced_accuracy=1
    )


def test_nothing_flagged() -> None:
    metrics = detection_metrics(_mask("0000"), _mask("0110"))
    assert _close(metrics, precision=0, recall=0, f1=0, specificity=1, balanced_accuracy=0.5, flagged=0)


def test_no_wrong_labels() -> None:
    metrics = detection_metrics(_mask("1000"), _mask("0000"))
    assert _close(
        metrics, precision=0, recall=math.nan, f1=math.nan, specificity=0.75, balanced_accuracy=math.nan
    )


def test_only_wrong_labels() -> None:
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
def test_guard(flagged: str, wrong: str, verdict: str | None) -> None:
    assert guard(_mask(flagged), _mask(wrong)) == verdict


@pytest.mark.parametrize(
    ("flagged", "wrong"),
    [(np.array([1, 0]), _mask("10")), (_mask("101"), _mask("10")), (_mask("10")[None], _mask("10")[None])],
)
def test_what_is_not_two_masks_is_refused(flagged: np.ndarray, wrong: np.ndarray) -> None:
    for measure in (detection_metrics, guard):
        with pytest.raises(InputError, match=r"must both be bool \[N\]"):
            measure(flagged, wrong)
