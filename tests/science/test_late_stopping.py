"""Late Stopping by hand."""

import numpy as np
import pytest

from noisebench.science import late_stopping
from noisebench.science.late_stopping import NEVER

RIGHT = np.array([[1, 0, 1, 1, 1], [0, 1, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], dtype=bool)


def test_k_grows_in_three_steps() -> None:
    assert [late_stopping.epochs_in_a_row(number, 12) for number in range(12)] == [1] * 4 + [2] * 4 + [3] * 4
    assert late_stopping.epochs_in_a_row(0, 1) == 1


def test_all_rounds_together_keep_what_is_right() -> None:
    kept = [late_stopping.samples_to_keep(1000, 0.36, number, 2) for number in range(2)]
    assert kept == [800, 640]
    share = late_stopping.samples_to_keep(1_000_000, 0.2, 0, 12) / 1_000_000
    assert share == pytest.approx(0.98, abs=0.002)  # the authors' constant


@pytest.mark.parametrize(
    ("k", "skip", "expected"),
    [
        (1, 0, [0, 1, 4, NEVER]),
        (2, 0, [3, NEVER, NEVER, NEVER]),
        (1, 2, [2, 3, 4, NEVER]),
        (3, 2, [4] + [NEVER] * 3),
    ],
)
def test_a_label_is_learnt_at_the_end_of_k_right_epochs(k: int, skip: int, expected: list[int]) -> None:
    assert late_stopping.learnt(RIGHT, k, skip).tolist() == expected
    assert late_stopping.learnt(RIGHT, 3, 3).tolist() == [NEVER] * 4  # fewer epochs than k


def test_what_is_learnt_when_the_round_ends_stays() -> None:
    when, losses = np.array([2, 0, 2, NEVER, NEVER]), np.array([1.0, 2.0, 3.0, 5.0, 4.0])
    assert late_stopping.kept(when, losses, 2).tolist() == [True, True, True, False, False]
    assert late_stopping.kept(when, losses, 1).tolist() == [False, True, False, False, False]
    # Too few are learnt: the smallest losses fill up.
    assert late_stopping.kept(when, losses, 4).tolist() == [True, True, True, False, True]
    assert not late_stopping.kept(when, losses, 0).any()


def test_the_earlier_removed_the_more_suspect() -> None:
    found = late_stopping.find(np.array([0, 2, 1, 2, 1]), np.array([1.0, 0.5, 3.0, 0.1, 2.0]), rounds=2)
    assert found.flagged.tolist() == [True, False, True, False, True]
    assert np.argsort(-found.suspicion).tolist() == [0, 2, 4, 1, 3]
    assert found.suspicion[1] < 1 < found.suspicion[4]
