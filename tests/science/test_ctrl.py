"""CTRL on curves that are easy to tell apart, on planted errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from noisebench.errors import InputError
from noisebench.science import ctrl
from noisebench.science.metrics import detection_metrics

if TYPE_CHECKING:
    from tests.science.conftest import PlantedDigits


def _curves(levels: list[float], epochs: int = 8) -> np.ndarray:
    return np.repeat(np.array(levels)[:, None], epochs, axis=1)


def test_each_class_is_clustered_alone() -> None:
    losses = _curves([0.1, 0.1, 0.5, 0.5, 1.0, 1.1, 1.0, 1.3])
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    detection = ctrl.find(losses, labels, 2)
    assert detection.flagged.tolist() == [False, False, True, True, False, False, False, True]
    np.testing.assert_allclose(detection.suspicion, losses[:, 0])


def test_losses_are_clamped_at_twice_the_logarithm_of_the_classes() -> None:
    losses = _curves([0.0, 2.7, 1e6])
    detection = ctrl.find(losses, np.zeros(3, dtype=np.int64), 4)
    assert detection.flagged.tolist() == [False, True, True]
    assert detection.suspicion[2] == pytest.approx(2 * np.log(4))
    assert losses[2, 0] == 1e6


def test_curves_are_smoothed_over_five_epochs() -> None:
    losses = np.zeros((2, 6))
    losses[0, 0] = 1.0
    # The first epoch lies in one of the two windows of five, the second to fifth in both.
    detection = ctrl.find(losses, np.array([0, 1]), 2)
    assert detection.suspicion.tolist() == pytest.approx([0.1, 0.0])


def test_a_lone_sample_and_equal_curves_are_left_alone() -> None:
    detection = ctrl.find(_curves([0.9, 0.3, 0.3, 0.3], 1), np.array([0, 1, 1, 1]), 3)
    assert not detection.flagged.any()


def test_planted_errors_are_found(planted_digits: PlantedDigits, digit_losses: np.ndarray) -> None:
    detection = ctrl.find(digit_losses, planted_digits.labels, planted_digits.classes)
    assert roc_auc_score(planted_digits.wrong, detection.suspicion) >= 0.95
    assert detection_metrics(detection.flagged, planted_digits.wrong)["f1"] >= 0.8


@pytest.mark.parametrize(
    ("losses", "labels"),
    [(np.zeros(3), np.zeros(3)), (np.zeros((3, 2)), np.zeros(2)), (np.full((2, 2), np.inf), np.zeros(2))],
)
def test_bad_losses_are_refused(losses: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"must be \[N, E\], finite, and \[N\]"):
        ctrl.find(losses, labels.astype(np.int64), 2)
