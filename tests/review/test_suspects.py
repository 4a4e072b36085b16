"""Samples in order of suspicion."""

import numpy as np
import pytest
from numpy.typing import NDArray

from noisebench.errors import InputError
from noisebench.review.samples import conflicts, first_of_each
from noisebench.review.suspects import rank
from noisebench.science.detection import Detection
from tests.review.made import samples_of, scores

P = [[0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.5, 0.2, 0.3], [0.6, 0.3, 0.1]]


def test_suspects_come_first_and_each_group_is_in_order_of_suspicion() -> None:
    found = rank(samples_of([0, 1, 2, 0]), [scores([True, False, True, False], P, [0.8, 0.9, 0.95, 0.4])])
    assert found.order.tolist() == [2, 0, 1, 3]
    assert (found.suspects, found.rank.tolist()) == (2, [2, 3, 1, 4])


def test_the_suggestion_is_the_most_probable_other_class() -> None:
    found = rank(samples_of([0, 1, 2, 0]), [scores([True] * 4, P, [0.0] * 4)])
    assert found.suggested.tolist() == [1, 0, 0, 1]
    assert found.p_given == pytest.approx([0.2, 0.8, 0.3, 0.6])
    assert found.p_suggested == pytest.approx([0.7, 0.1, 0.5, 0.3])
    assert found.margin == pytest.approx([0.5, -0.7, 0.2, -0.3])


def test_seeds_are_averaged_and_flags_need_half_of_them() -> None:
    trials = [
        scores([True, False, False, False], P, [0.5, 0.1, 0.2, 0.3]),
        scores([True, True, False, False], None, [0.7, 0.3, 0.2, 0.3], seed=1),
        scores([False, False, False, True], None, [9.0, 9.0, 9.0, 9.0], detector="aum"),
    ]
    found = rank(samples_of([0, 1, 2, 0]), iter(trials))
    assert found.suspicion == pytest.approx([0.6, 0.2, 0.2, 0.3])
    assert found.suspicion_sd == pytest.approx([np.sqrt(0.02), np.sqrt(0.02), 0, 0])
    assert found.agreement.tolist() == [1, 0.5, 0, 0]
    assert (found.detectors, found.seeds) == (("confident-learning", "aum"), (0, 1))
    assert found.flagged.tolist() == [[True, False], [True, False], [False, False], [False, True]]
    assert (found.suspects, found.order.tolist()) == (3, [0, 3, 1, 2])


def test_the_mean_of_several_trainings_is_judged_again() -> None:
    other = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.5, 0.2, 0.3], [0.6, 0.3, 0.1]]
    trials = [
        scores([True, False, False, False], P, [0.5, 0.1, 0.2, 0.3]),
        scores([False] * 4, other, [0.7, 0.3, 0.2, 0.3], seed=1),
    ]

    def judge(mean: NDArray) -> dict[str, Detection]:
        assert mean[0] == pytest.approx([0.5, 0.4, 0.1])
        return {"confident-learning": Detection(np.array([False, False, True, False]), 1 - mean[:, 0])}

    found = rank(samples_of([0, 1, 2, 0]), trials, judge)
    assert found.suspicion == pytest.approx([0.5, 0.9, 0.5, 0.4])
    assert found.flagged[:, 0].tolist() == [False, False, True, False]
    assert found.agreement.tolist() == [0.5, 0, 0, 0]
    assert found.order.tolist()[0] == 2
    one = rank(samples_of([0, 1, 2, 0]), trials[:1], judge)
    assert one.flagged[:, 0].tolist() == [True, False, False, False]


def test_a_sample_that_no_seed_judged_comes_last() -> None:
    found = rank(samples_of([0, 1, 2, 0]), [scores([False] * 4, P, [0.1, np.nan, 0.2, 0.3])])
    assert (found.order.tolist(), found.suspects) == ([3, 2, 0, 1], 0)


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        ([], "no trial has completed"),
        ([scores([True] * 4, None, [0.0] * 4)], "no trial brings probabilities"),
        ([scores([True] * 3, P, [0.0] * 4)], r"flagged is \[3\], must be \[4\]"),
        ([scores([True] * 4, P[:3], [0.0] * 4)], r"probabilities are \[3, 3\], must be \[4, 3\]"),
    ],
)
def test_scores_that_do_not_fit_are_refused(trials: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rank(samples_of([0, 1, 2, 0]), trials)


def test_one_class_cannot_be_judged() -> None:
    with pytest.raises(InputError, match="one class"):
        rank(samples_of([0, 0], ("cat",)), [scores([False] * 2, [[1.0], [1.0]], [0.0] * 2)])


def test_equal_content_with_different_labels_is_marked_in_all_copies() -> None:
    samples = samples_of([0, 1, 1, 0, 0], sha256=("a", "b", "a", "c", "c"))
    assert samples.duplicate_of.tolist() == [-1, -1, 0, -1, 3]
    assert conflicts(samples).tolist() == [True, False, True, False, False]
    assert first_of_each(["x", "y", "x", "x"]).tolist() == [-1, -1, 0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ("a", "b", "a", "c")}, "the id 'a' occurs twice"),
        ({"classes": ("cat", "cat", "owl")}, "the class 'cat' occurs twice"),
        ({"paths": ("a",)}, "4 ids, but 1 paths"),
        ({"labels": [0, 1, 3, 0]}, r"labels reach from 0 to 3, must be in 0\.\.2"),
    ],
)
def test_samples_that_do_not_fit_are_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        samples_of(**{"labels": [0, 1, 2, 0], **change})
