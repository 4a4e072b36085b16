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


@pytest.mark.slow
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


def test_the_grid_has_the_authors_points() -> None:
    assert len(ctrl.GRID) == len(set(ctrl.GRID)) == 18
    # 1 of 2 clusters, 1 and 2 of 3; 1 vote of 1 window, 1 or 2 of 2, 1 to 3 of 4.
    assert {(point.clusters, point.noisy) for point in ctrl.GRID} == {(2, 1), (3, 1), (3, 2)}
    votes = {(point.windows, point.votes) for point in ctrl.GRID}
    assert votes == {(1, 1), (2, 1), (2, 2), (4, 1), (4, 2), (4, 3)}


def test_smoothing_leaves_out_the_first_epoch_and_copies_in_front() -> None:
    curves = np.array([[100.0, 1, 2, 3, 4, 5, 6]])
    # Means of epochs 1 to 5 and 2 to 6; five copies of the first.
    assert ctrl._smooth_and_pad(curves).tolist() == [[3.0] * 6 + [4.0]]
    assert ctrl._smooth_and_pad(np.array([[9.0, 1.0, 3.0]])).tolist() == [[2.0] * 3]
    assert ctrl._smooth_and_pad(np.array([[9.0]])).tolist() == [[9.0]]


def test_silhouettes_equal_scikit_learn() -> None:
    from sklearn.metrics import silhouette_score

    rng = np.random.default_rng(0)
    curves, labels = rng.random((60, 4)), np.repeat([0, 1, 2], 20)
    flagged = rng.random((3, 60)) < np.array([[0.2], [0.5], [0.1]])
    flagged[1, labels == 2] = False
    flagged[2] = False
    flagged[2, 0] = True
    expected = [
        np.mean([silhouette_score(curves[labels == c], mask[labels == c]) for c in given])
        for mask, given in zip(flagged, [(0, 1, 2), (0, 1), (0,)], strict=True)
    ]
    assert ctrl.silhouettes(curves, labels, flagged) == pytest.approx(expected)
    assert np.isnan(ctrl.silhouettes(curves, labels, np.zeros((1, 60), dtype=np.bool_))).all()


def test_the_mask_with_the_largest_quality_is_chosen() -> None:
    """Ten low curves, two in the middle, two high ones: one or two of three clusters may be noisy."""
    levels = np.array([0.1] * 10 + [1.0, 1.05] + [2.0, 2.05])
    losses, labels = _curves(list(levels)), np.zeros(14, dtype=np.int64)
    predicted = np.where(levels < 0.5, 0, 1)[:, None].repeat(8, axis=1)
    detection = ctrl.search(losses, labels, 4, predicted)
    # The quality of each possible mask by hand: silhouette from scikit-learn, A and L of two numbers.
    from sklearn.metrics import silhouette_score

    def quality(flagged: np.ndarray) -> float:
        accuracy = (predicted[~flagged, -1] == 0).mean()
        return (
            silhouette_score(losses, flagged)
            * 2
            * accuracy
            * levels[flagged].mean()
            / levels[~flagged].mean()
        )

    candidates = [levels > 0.5, levels > 1.5]
    best = candidates[int(np.argmax([quality(mask) for mask in candidates]))]
    assert detection.flagged.tolist() == best.tolist()
    assert detection.suspicion == pytest.approx(levels)


def test_windows_vote() -> None:
    """Sample 3 has a large loss in the first half only: it is kept by one of two windows."""
    curves = np.array([[0.1] * 8, [0.12] * 8, [2.0] * 8, [2.0] * 4 + [0.1] * 4])
    masks = dict(zip(ctrl.GRID, ctrl._masks(curves, np.zeros(4, dtype=np.int64)), strict=True))
    assert masks[ctrl.GridPoint(2, 1, 2, 1)].tolist() == [False, False, True, False]
    assert masks[ctrl.GridPoint(2, 1, 2, 2)].tolist() == [False, False, True, True]


@pytest.mark.slow
def test_planted_errors_are_found_by_the_search(
    planted_digits: PlantedDigits, digit_traces: dict[str, np.ndarray]
) -> None:
    # Every third sample is enough; every twentieth has a wrong label.
    losses, predicted = digit_traces["losses"][::3], digit_traces["predicted"][::3]
    wrong = planted_digits.wrong[::3]
    detection = ctrl.search(losses, planted_digits.labels[::3], planted_digits.classes, predicted)
    assert roc_auc_score(wrong, detection.suspicion) >= 0.95
    assert detection_metrics(detection.flagged, wrong)["f1"] >= 0.8


@pytest.mark.parametrize("levels", [[0.9], [0.3, 0.3, 0.3], [0.1, 0.9]])
@pytest.mark.parametrize("epochs", [1, 2, 8])
def test_small_classes_and_equal_curves_do_not_fail(levels: list[float], epochs: int) -> None:
    losses, labels = _curves(levels, epochs), np.zeros(len(levels), dtype=np.int64)
    detection = ctrl.search(losses, labels, 2, np.zeros_like(losses, dtype=np.int64))
    # Two samples fall into two clusters of one, whose silhouettes are 0: any choice is as good.
    assert len(levels) == 2 or not detection.flagged.any()


def test_bad_predictions_and_alpha_are_refused() -> None:
    losses, labels = _curves([0.1, 0.9]), np.zeros(2, dtype=np.int64)
    with pytest.raises(InputError, match=r"predicted \[2\] must have the shape of the losses \[2, 8\]"):
        ctrl.search(losses, labels, 2, labels)
    with pytest.raises(InputError, match="alpha 0 must be above 0"):
        ctrl.search(losses, labels, 2, losses.astype(np.int64), alpha=0)
