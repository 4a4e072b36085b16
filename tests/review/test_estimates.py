"""Numbers of wrong labels, estimated from reviews."""

from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from noisebench.review.estimates import Estimates, Reviewed, estimate
from noisebench.review.next_cards import next_cards
from noisebench.review.strata import MIN_CARDS, draw, last_ranks, list_order

SAMPLES, SUSPECTS = 6000, 700


def test_strata_end_with_the_suspects_and_leave_out_bounds_close_to_others() -> None:
    assert last_ranks(20_000, 1800, 1800) == [100, 300, 1000, 1800, 3000, 20_000]
    assert last_ranks(20_000, 320, 320) == [100, 320, 1000, 3000, 20_000]
    assert last_ranks(20_000, 9000, 5000) == [100, 300, 1000, 3000, 5000, 9000, 20_000]
    assert last_ranks(10, 0, 0) == [10]
    assert last_ranks(10, 10, 10) == [10]


def test_every_stratum_gets_cards_and_uncertain_ones_more() -> None:
    p_given = np.concatenate([np.full(300, 0.02), np.full(1700, 0.5), np.full(8000, 0.999)])
    drawn = draw([300, 2000, 10_000], p_given, 300, seed=1)
    assert len(set(drawn)) == len(drawn)
    counts = np.histogram(drawn, bins=[1, 301, 2001, 10_001])[0]
    assert counts.tolist() == [MIN_CARDS, 127, 167]
    assert sorted(draw([5, 10], np.full(10, 0.5), 300, seed=1)) == list(range(1, 11))
    assert sorted(drawn[:150]) != drawn[:150]


def test_every_rank_of_a_stratum_is_drawn_equally_often() -> None:
    seen = np.zeros(40)
    for seed in range(600):
        ranks = draw([40], np.full(40, 0.5), 25, seed)
        assert len(set(ranks)) == 25
        seen[np.array(ranks) - 1] += 1
    # 600 draws of probability 25/40 have a deviation of 12; the largest of 40 lies within 4 of these.
    assert np.abs(seen - 600 * 25 / 40).max() < 48


def test_the_list_holds_all_suspects_in_order_and_random_cards_among_the_first() -> None:
    drawn = [900, 3, 720, 801, 950]
    order = list_order(700, drawn, seed=0)
    assert [rank for rank in order if rank <= 700] == list(range(1, 701))
    assert [rank for rank in order if rank > 700] == [900, 720, 801, 950]
    assert max(order.index(rank) for rank in drawn) < 16
    assert list_order(0, [2, 1], seed=0) == []


def test_no_more_than_a_quarter_of_the_list_is_unsuspicious() -> None:
    order = list_order(9, [20, 30, 2, 40, 50, 60], seed=0)
    assert sorted(order) == [*range(1, 10), 20, 30, 40]


def population(seed: int) -> NDArray[np.bool_]:
    """Return which labels are wrong, by rank: most of the first, few of the last."""
    rank = np.arange(SAMPLES)
    return np.random.default_rng(seed).random(SAMPLES) < 0.95 * np.exp(-rank / 500) + 0.01


def reviewed(wrong: NDArray[np.bool_], seed: int, first: int, of_list: int) -> Estimates:
    """Return estimates after `first` cards of the random order, and `of_list` cards of the list."""
    ends = last_ranks(SAMPLES, SUSPECTS, SUSPECTS)
    drawn = draw(ends, 1 - 0.9 * np.exp(-np.arange(SAMPLES) / 500), 300, seed)
    order = list_order(SUSPECTS, drawn, seed)[:of_list]
    place = {rank: index for index, rank in enumerate(drawn)}
    known = Reviewed(
        SAMPLES,
        ends,
        drawn,
        SUSPECTS,
        {rank: bool(wrong[rank - 1]) for rank in {*drawn[:first], *order}},
        seen_of_draw=first - 1,
        seen_of_list=max((place[rank] for rank in order if rank > SUSPECTS), default=-1),
    )
    return estimate(known, SUSPECTS, draws=1000)


def covered(values: Iterable[bool]) -> float:
    return float(np.mean(list(values)))


@pytest.mark.parametrize(("first", "of_list"), [(300, 0), (150, 0), (0, 1000), (120, 250)])
def test_intervals_cover_the_truth(first: int, of_list: int) -> None:
    """At 95%, in 60 populations, whether random cards, the list or both are reviewed, wherever that ends."""
    total, remaining, top = [], [], []
    for seed in range(60):
        wrong = population(seed)
        estimates = reviewed(wrong, seed, first, of_list)
        assert estimates.total is not None
        assert estimates.remaining is not None
        total.append(estimates.total.low <= wrong.sum() <= estimates.total.high)
        left = wrong.sum() - estimates.errors_found
        remaining.append(estimates.remaining.low <= left <= estimates.remaining.high)
        share = estimates.cuts[-1].precision
        assert share is not None
        top.append(share.low <= wrong[:SUSPECTS].mean() <= share.high)
    # Of 60 intervals that cover with probability .95, fewer than 52 do with probability .003.
    assert covered(total) >= 52 / 60
    assert covered(remaining) == covered(total)
    assert covered(top) >= 52 / 60


def test_labels_that_were_all_reviewed_are_counted_exactly() -> None:
    known = Reviewed(200, [50, 200], [], 50, {rank: rank <= 40 for rank in range(1, 51)})
    estimates = estimate(known, 50)
    precision = {cut.rank: cut.precision for cut in estimates.cuts}
    assert sorted(precision) == [10, 25, 50]
    for rank, share in ((25, 1.0), (50, 0.8)):
        found = precision[rank]
        assert found is not None
        assert (found.low, found.estimate, found.high) == (share, share, share)
    assert (estimates.errors_found, estimates.total) == (40, None)


def test_cards_chosen_by_a_filter_do_not_count_for_others() -> None:
    """A reviewer who looks at suspicious labels alone does not learn the rate of the rest."""
    ends, drawn = [100, 10_000], [7000, 8000, 9000, 50]
    wrong = dict.fromkeys(range(200, 260), True) | dict.fromkeys(drawn, False)
    estimates = estimate(Reviewed(10_000, ends, drawn, 100, wrong, seen_of_draw=3), 100)
    rest = estimates.parts[-1]
    assert (rest.random, rest.random_errors, rest.reviewed, rest.errors) == (3, 0, 63, 60)
    assert rest.errors_estimated is not None
    assert rest.errors_estimated.low == 60


def test_a_skipped_random_card_is_missing_and_a_later_one_is_not_random() -> None:
    known = Reviewed(
        1000, [10, 1000], [500, 600, 700, 800], 10, {500: False, 700: True, 800: True}, seen_of_draw=2
    )
    rest = estimate(known, 10).parts[-1]
    assert (rest.random, rest.random_errors, rest.reviewed) == (2, 1, 3)


def test_unsure_labels_widen_the_interval_of_a_part_that_is_otherwise_known() -> None:
    wrong = {rank: rank <= 20 for rank in range(1, 31)}
    estimates = estimate(Reviewed(40, [40], [], 40, wrong, frozenset(range(31, 41))), 40)
    assert estimates.total is not None
    assert (estimates.unsure, estimates.reviewed) == (10, 40)
    assert 20 <= estimates.total.low < estimates.total.high <= 30


def test_equal_reviews_give_equal_estimates() -> None:
    assert reviewed(population(0), 0, 100, 50) == reviewed(population(0), 0, 100, 50)


def test_random_cards_are_asked_for_first_then_suspects_then_the_least_known_part() -> None:
    ids = [f"s{rank}" for rank in range(1, 1001)]
    drawn = [900, 5, 800, 60, 700]

    def following(known: Reviewed) -> tuple[str, tuple[str, ...]]:
        found = next_cards(estimate(known, 50), known, ids, 50)
        return found.why, found.ids[:2]

    start = Reviewed(1000, [50, 1000], drawn, 50, {})
    assert following(start) == ("estimate", ("s900", "s5"))
    some = Reviewed(1000, [50, 1000], drawn, 50, {900: False, 5: True}, seen_of_draw=1)
    assert following(some) == ("correct", ("s1", "s2"))
    top = dict.fromkeys(range(1, 51), True)
    listed = Reviewed(1000, [50, 1000], drawn, 50, {900: False, **top}, seen_of_draw=1)
    assert following(listed) == ("estimate", ("s800", "s60"))
    everything = {900: False, 800: False, 60: False, 700: False, **top}
    assert following(Reviewed(1000, [50, 1000], drawn, 50, everything, seen_of_draw=4)) == ("done", ())
