"""Statistics against numbers worked out elsewhere or by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.significance import average_ranks, bootstrap_interval, holm, paired_means, paired_test


def test_a_paired_test_is_scipys() -> None:
    first, second = np.array([0.9, 0.8, 0.95, 0.7]), np.array([0.85, 0.81, 0.9, 0.65])
    assert paired_test(first - second) == pytest.approx(stats.ttest_rel(first, second).pvalue, rel=1e-12)
    one_sided = stats.ttest_rel(first, second, alternative="greater").pvalue
    assert paired_test(first - second, "greater") == pytest.approx(one_sided, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "two_sided", "greater"), [(0.1, 0.0, 0.0), (-0.1, 0.0, 1.0), (0.0, 1.0, 1.0)]
)
def test_equal_differences_leave_no_doubt(value: float, two_sided: float, greater: float) -> None:
    differences = np.full(5, value)
    assert (paired_test(differences), paired_test(differences, "greater")) == (two_sided, greater)


def test_one_pair_has_no_p_value() -> None:
    assert math.isnan(paired_test(np.array([0.1])))
    assert all(map(math.isnan, bootstrap_interval(np.array([0.1]))))


def test_holm_by_hand() -> None:
    """Of .01, .04, .03, .005: .005 x 4, .01 x 3, .03 x 2, then .04 x 1 raised to the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    corrected = holm([0.01, math.nan, 0.04])
    assert corrected[::2] == pytest.approx([0.02, 0.04])
    assert math.isnan(corrected[1])


def test_the_bootstrap_interval_holds_the_mean_and_is_repeatable() -> None:
    values = np.random.default_rng(1).normal(5, 1, 400)
    low, high = bootstrap_interval(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)  # the normal interval
    assert (low, high) == bootstrap_interval(values)


def test_average_ranks_by_hand() -> None:
    """Ties share their mean rank; the critical difference of 4 methods over 10 rows is 2.569 sqrt(20/60)."""
    rows = np.array([[0.9, 0.8, 0.7, 0.6], [0.8, 0.8, 0.9, 0.1]] * 5)
    ranked = average_ranks(["a", "b", "c", "d"], rows)
    assert ranked.ranks == pytest.approx([1.75, 2.25, 2.0, 4.0])
    assert ranked.critical_difference == pytest.approx(2.569 * math.sqrt(20 / 60), abs=1e-3)
    assert ranked.friedman_p == pytest.approx(stats.friedmanchisquare(*rows.T).pvalue)


def test_two_methods_have_no_ranks() -> None:
    with pytest.raises(ValueError, match="three methods and two rows, here are 2 and 5"):
        average_ranks(["a", "b"], np.zeros((5, 2)))


def test_a_paired_mean_by_hand() -> None:
    good, none, single, equal = (np.array(v) for v in ([1.0, 2.0, 3.0], [1.0, -1.0], [0.5], [2.0, 2.0]))
    of_good, of_none, of_single, of_equal = paired_means([good, none, single, equal])
    assert (of_good.pairs, of_good.mean, of_good.effect) == (3, 2.0, 2.0)
    assert (of_good.low, of_good.high) == bootstrap_interval(good)
    assert of_good.p == pytest.approx(2 * paired_test(good))  # the second of three tests
    assert of_good.verdict("above", "below", few="few") == "undecided"
    assert (of_none.mean, of_none.effect, of_none.p) == (0.0, 0.0, 1.0)
    assert math.isnan(of_single.effect)
    assert of_single.verdict("above", "below", few="few") == "few"
    assert of_single.cells() == ["+0.5000", "", ""]
    assert of_equal.verdict("above", "below", few="few") == "above"
    assert of_equal.cells() == ["+2.0000 [+2.0000, +2.0000]", "+inf", "0"]
    assert paired_means([-equal])[0].verdict("above", "below", few="few") == "below"
