"""Planted wrong labels."""

import numpy as np
import pytest

from noisebench.science.plants import (
    LIKELY,
    NONE,
    UNIFORM,
    Plants,
    mixture_bound,
    plant,
    precision_range,
    recall,
)


def test_plants_are_wrong_and_of_both_kinds() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2, 3], [200, 200, 100, 10])
    probabilities = np.full((510, 4), 0.05)
    probabilities[np.arange(510), labels] = 0.6
    probabilities[np.arange(510), (labels + 1) % 4] = 0.3
    planted = plant(labels, probabilities, 0.1, rng)
    assert ((planted.labels != labels) == (planted.kinds != NONE)).all()
    assert [int((planted.kinds[labels == label] != NONE).sum()) for label in range(4)] == [20, 20, 10, 0]
    uniform, likely = planted.kinds == UNIFORM, planted.kinds == LIKELY
    assert abs(int(uniform.sum()) - int(likely.sum())) <= 2
    assert np.array_equal(
        np.bincount(planted.labels[uniform], minlength=4), np.bincount(labels[uniform], minlength=4)
    )
    assert (planted.labels[likely] == (labels[likely] + 1) % 4).mean() > 0.6


def test_the_recall_of_a_kind() -> None:
    kinds = np.array([UNIFORM, UNIFORM, LIKELY, NONE], dtype=np.int8)
    flagged = np.array([True, False, False, True])
    assert recall(kinds, flagged, UNIFORM) == 0.5
    assert recall(kinds, flagged, LIKELY) == 0.0
    assert np.isnan(recall(kinds[3:], flagged[3:], LIKELY))


@pytest.mark.parametrize("errors", [0, 1000, 3000])
def test_the_bound_is_the_share_of_errors_that_look_like_plants(errors: int) -> None:
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.array([NONE, UNIFORM], dtype=np.int8), [10_000, 1000])
    wrong = np.repeat([False, True], [10_000 - errors, 1000 + errors])  # the last 1000 are plants
    suspicion = rng.normal(np.where(wrong, 8, 0), 1)
    assert mixture_bound(suspicion, kinds, UNIFORM) == pytest.approx(errors / 10_000, rel=0.15, abs=1e-6)
    assert mixture_bound(suspicion, kinds, LIKELY) == 1.0


def test_the_precision_at_a_rank_is_recall_of_plants_times_errors() -> None:
    kinds = np.array([UNIFORM, UNIFORM, LIKELY, LIKELY, NONE], dtype=np.int8)
    plants = Plants(np.array([0.9, 0.7, 0.9, 0.2, 0.1]), np.zeros(5, dtype=np.bool_), kinds)
    by_rank = np.array([0.8, 0.6, 0.7, 0.1, np.nan])
    low, high = precision_range(by_rank, [plants, plants], (0.4, 0.6))
    # Of 5 samples 2 are wrong by uniform plants, 3 by likely ones. At rank 3 the threshold is still 0.6.
    assert np.minimum(low, high) == pytest.approx(low)
    assert low == pytest.approx([1, 0.75, 0.75 * 2 / 2.25, 0.5, 0.4], abs=0.26)
    assert high[3] == pytest.approx(3 / 4)
    assert low[3] == pytest.approx(2 / 4)
    assert (np.diff(low) <= 0).all()
    assert (np.diff(high) <= 0).all()
