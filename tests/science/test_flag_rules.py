"""Flag rules by hand; the mixture on two Gaussians."""

import numpy as np
import pytest

from noisebench.errors import InputError
from noisebench.science import flag_rules

SUSPICION = np.array([0.2, np.nan, 0.9, 0.9, 0.5, 0.1])


def test_the_top_skips_what_is_not_judged_and_takes_the_first_of_equals() -> None:
    assert flag_rules.top(SUSPICION, 1).tolist() == [False, False, True, False, False, False]
    assert flag_rules.top(SUSPICION, 3).tolist() == [False, False, True, True, True, False]
    assert flag_rules.top(SUSPICION, 99).sum() == 5
    assert flag_rules.top(SUSPICION, 0).sum() == 0


def test_a_share_is_one_of_the_judged_samples() -> None:
    # 0.4 of 5 judged samples are 2; of 6 samples they would be 2.4.
    assert np.flatnonzero(flag_rules.share(SUSPICION, 0.4)).tolist() == [2, 3]
    assert flag_rules.share(np.array([1.0]), 0.6).tolist() == [True]
    assert flag_rules.share(np.array([1.0]), 0.4).tolist() == [False]


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_share_outside_the_range_is_refused(share: float) -> None:
    with pytest.raises(InputError, match=r"is outside \(0, 1\)"):
        flag_rules.share(SUSPICION, share)


def test_a_negative_count_and_a_matrix_are_refused() -> None:
    with pytest.raises(InputError, match="count -1 at least 0"):
        flag_rules.top(SUSPICION, -1)
    with pytest.raises(InputError, match=r"must be \[N\]"):
        flag_rules.top(np.zeros((2, 2)), 1)


def test_the_mixture_separates_two_gaussians_and_skips_what_is_not_judged() -> None:
    rng = np.random.default_rng(0)
    suspicion = np.concatenate([rng.normal(-1, 0.2, 900), rng.normal(5, 0.5, 100), [np.nan]])
    assert np.flatnonzero(flag_rules.mixture(suspicion)).tolist() == list(range(900, 1000))


def test_the_mixture_also_flags_the_most_suspect_right_labels_where_they_have_a_long_tail() -> None:
    rng = np.random.default_rng(0)
    suspicion = np.concatenate([rng.exponential(0.5, 800), rng.normal(3, 0.4, 200)])
    flagged = flag_rules.mixture(suspicion)
    assert flagged[800:].all()
    # A Gaussian does not cover the tail, so the other one does.
    assert 20 <= flagged[:800].sum() <= 60
    assert suspicion[:800][flagged[:800]].min() > np.quantile(suspicion[:800], 0.9)


@pytest.mark.parametrize("suspicion", [[0.7, 0.7, 0.7], [0.7], [0.7, np.nan], [np.nan], []])
def test_equal_or_single_values_flag_nothing(suspicion: list[float]) -> None:
    assert not flag_rules.mixture(np.array(suspicion)).any()


def test_infinite_values_are_refused_by_the_mixture() -> None:
    with pytest.raises(InputError, match="infinite values"):
        flag_rules.mixture(np.array([0.0, 1.0, np.inf]))


def test_only_the_share_is_told_the_rate() -> None:
    assert [rule for rule, knows in flag_rules.KNOWS_RATE.items() if knows] == ["share"]
