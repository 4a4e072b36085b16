"""Small-loss ranking by hand, on two Gaussians, on planted errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from noisebench.errors import InputError
from noisebench.science import small_loss
from noisebench.science.metrics import detection_metrics

if TYPE_CHECKING:
    from tests.science.conftest import PlantedDigits


def test_the_share_with_the_largest_mean_loss_is_flagged() -> None:
    losses = np.array([[1.0, 3.0], [4.0, 4.0], [0.0, 1.0], [5.0, 0.0], [9.0, 0.0]], dtype=np.float32)
    detection = small_loss.find(losses, share=0.4)
    assert detection.flagged.tolist() == [False, True, False, False, True]
    assert detection.suspicion.tolist() == [2.0, 4.0, 0.5, 2.5, 4.5]


def test_ties_are_resolved_by_index_and_the_count_is_exact() -> None:
    assert small_loss.find(np.ones(6), share=0.5).flagged.tolist() == [True] * 3 + [False] * 3


def test_the_mixture_separates_two_gaussians() -> None:
    rng = np.random.default_rng(0)
    losses = np.concatenate([rng.normal(1, 0.2, 900), rng.normal(5, 0.5, 100)])
    flagged = small_loss.find(losses).flagged
    assert flagged.tolist() == [False] * 900 + [True] * 100


def test_the_smallest_losses_are_never_flagged() -> None:
    rng = np.random.default_rng(0)
    losses = np.concatenate([rng.normal(5, 0.05, 900), rng.normal(7, 4, 100)])
    flagged = small_loss.find(losses).flagged
    assert flagged.any()
    assert losses[flagged].min() > 5


def test_equal_losses_flag_nothing() -> None:
    assert not small_loss.find(np.full(10, 0.7)).flagged.any()


def test_planted_errors_are_found(planted_digits: PlantedDigits, digit_losses: np.ndarray) -> None:
    by_mixture, by_share = small_loss.find(digit_losses), small_loss.find(digit_losses, share=0.05)
    assert roc_auc_score(planted_digits.wrong, by_mixture.suspicion) >= 0.95
    assert detection_metrics(by_mixture.flagged, planted_digits.wrong)["balanced_accuracy"] >= 0.95
    assert detection_metrics(by_share.flagged, planted_digits.wrong)["f1"] >= 0.85


@pytest.mark.parametrize("losses", [np.array([1.0, np.nan]), np.array([1.0]), np.zeros((2, 2, 2))])
def test_bad_losses_are_refused(losses: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"must be finite and \[N\] or \[N, E\]"):
        small_loss.find(losses)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_share_outside_the_range_is_refused(share: float) -> None:
    with pytest.raises(InputError, match=r"is outside \(0, 1\)"):
        small_loss.find(np.ones(4), share)
