"""Neighbour votes by hand, neighbours by brute force, detectors on planted errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from noisebench.errors import InputError
from noisebench.science import neighbours
from noisebench.science.metrics import detection_metrics, ranking_metrics

if TYPE_CHECKING:
    from tests.science.conftest import PlantedDigits

LABELS = np.array([[0, 0, 1], [1, 1, 0]])
DISTANCES = np.array([[0.1, 0.2, 0.5], [0.2, 0.6, 0.7]])


@pytest.fixture(scope="module")
def of_digits(planted_digits: PlantedDigits) -> tuple[np.ndarray, np.ndarray]:
    """Labels and distances [N, 10] of each digit's neighbours among the images."""
    indices, distances = neighbours.nearest(planted_digits.images)
    return planted_digits.labels[indices], distances


def test_the_nearest_are_those_of_the_whole_matrix() -> None:
    rng = np.random.default_rng(0)
    features, queries = rng.normal(size=(30, 4)), rng.normal(size=(7, 4))
    unit, asked = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (features, queries))
    whole = 1 - asked @ unit.T
    indices, distances = neighbours.nearest(features, queries, k=3)
    np.testing.assert_array_equal(indices, np.argsort(whole, axis=1)[:, :3])
    np.testing.assert_allclose(distances, np.sort(whole, axis=1)[:, :3], rtol=1e-5)
    own, _ = neighbours.nearest(features, k=2)
    np.testing.assert_array_equal(own, np.argsort(1 - unit @ unit.T, axis=1)[:, 1:3])


def test_blocks_do_not_change_the_neighbours() -> None:
    from sklearn import config_context

    features = np.random.default_rng(0).normal(size=(300, 8))
    whole = neighbours.nearest(features)
    with config_context(working_memory=1e-2):
        parted = neighbours.nearest(features)
    np.testing.assert_array_equal(whole[0], parted[0])


def test_a_feature_of_zeros_has_no_direction() -> None:
    _, distances = neighbours.nearest(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), k=1)
    assert distances[0].tolist() == [1.0]


def test_votes_by_hand() -> None:
    plain = neighbours.votes(LABELS, DISTANCES, 3, weights="none")
    assert plain == pytest.approx(np.array([[2, 1, 0], [1, 2, 0]]) / 3)
    weighted = neighbours.votes(LABELS, DISTANCES, 3)
    assert weighted == pytest.approx(np.array([[1.7 / 2.2, 0.5 / 2.2, 0], [0.3 / 1.5, 1.2 / 1.5, 0]]))
    # The own labels 2 and 0 with distances 0 and -0.2, in place of the third neighbour.
    own = neighbours.votes(LABELS, DISTANCES, 3, given_labels=np.array([2, 0]))
    assert own == pytest.approx(np.array([[1.7 / 2.7, 0, 1 / 2.7], [1.2 / 2.4, 1.2 / 2.4, 0]]))


def test_opposite_neighbours_have_no_weight() -> None:
    rows = neighbours.votes(np.array([[0, 1], [0, 0]]), np.array([[0.5, 1.5], [1.2, 2.0]]), 2)
    assert rows.tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_simifeat_votes_by_hand() -> None:
    # The first as above, voted down by class 0; the second by two neighbours of class 1, but not by one.
    labels = np.array([2, 0])
    detection = neighbours.find_simifeat_votes(
        labels, LABELS, np.array([[0.1, 0.2, 0.5], [0.5, 0.5, 0.5]]), 3
    )
    assert detection.flagged.tolist() == [True, True]
    two = neighbours.find_simifeat_votes(labels[1:], LABELS[1:, :2], np.array([[0.5, 0.5]]), 3)
    assert two.flagged.tolist() == [False]
    assert detection.suspicion == pytest.approx([1.7 / 2.7, 2 / 3])
    assert two.suspicion.tolist() == [0.5]


@pytest.mark.slow
def test_simifeat_ranks_flag_the_estimated_share_of_each_class() -> None:
    """Clusters in which 30% of class 0 have label 1: the share of errors of label 1 is 0.3 / 1.3."""
    rng = np.random.default_rng(0)
    true = np.repeat([0, 1], 1000)
    labels = np.where((true == 0) & (rng.random(2000) < 0.3), 1, true)
    angle = true * 1.2 + rng.normal(0, 0.1, 2000)
    indices, distances = neighbours.nearest(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    detection = neighbours.find_simifeat_ranks(labels, labels[indices], distances, 2)
    of_one = labels == 1
    assert detection.flagged[of_one].mean() == pytest.approx(0.3 / 1.3, abs=0.05)
    assert detection.flagged[~of_one].mean() <= 0.1
    assert detection_metrics(detection.flagged, labels != true)["f1"] >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("find", [neighbours.find_simifeat_votes, neighbours.find_simifeat_ranks])
def test_planted_errors_are_found(
    planted_digits: PlantedDigits, of_digits: tuple[np.ndarray, np.ndarray], find: neighbours.Find
) -> None:
    detection = find(planted_digits.labels, *of_digits, planted_digits.classes)
    assert ranking_metrics(detection.suspicion, planted_digits.wrong)["auroc"] >= 0.95
    assert detection_metrics(detection.flagged, planted_digits.wrong)["f1"] >= 0.8


@pytest.mark.parametrize("weights", ["none", "cosine"])
def test_planted_errors_have_few_neighbours_of_their_label(
    planted_digits: PlantedDigits, of_digits: tuple[np.ndarray, np.ndarray], weights: str
) -> None:
    suspicion = neighbours.similarity(planted_digits.labels, *of_digits, planted_digits.classes, weights)
    assert ranking_metrics(suspicion, planted_digits.wrong)["auroc"] >= 0.95


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="k 10 must be at least 1 and at most the 2 samples"):
        neighbours.nearest(np.eye(3))
    with pytest.raises(InputError, match=r"labels \[2, 3\] and distances \[2, 2\] must both be"):
        neighbours.votes(LABELS, DISTANCES[:, :2], 3)
    with pytest.raises(InputError, match="needs two neighbours"):
        neighbours.votes(LABELS[:, :1], DISTANCES[:, :1], 3, given_labels=np.array([0, 1]))
    with pytest.raises(InputError, match="weights 'dot' are unknown; known: cosine, none"):
        neighbours.votes(LABELS, DISTANCES, 3, weights="dot")
