"""Ranks in strata, and the random cards of each stratum from which a review estimates the number of errors.

The number of errors among all samples cannot be estimated from the most suspicious ones alone. So a fixed
number of cards is drawn at random from each stratum and put into one random order. Every beginning of that
order is a random sample of each stratum, wherever the reviewer stops.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

LAST_RANKS = (100, 300, 1000, 3000)
MIN_CARDS = 15  # of each stratum: fewer say too little about it


def last_ranks(samples: int, suspects: int, listed: int) -> list[int]:
    """Return the last rank of each stratum, ascending; the last stratum ends with the last sample.

    The suspects end a stratum, and so do those that the page lists. Of the usual bounds, those close to
    such an end are left out.
    """
    ends = {end for end in (suspects, listed) if 0 < end < samples}
    usual = [rank for rank in LAST_RANKS if all(abs(rank - end) > rank / 4 for end in (*ends, samples))]
    return sorted({*ends, *(rank for rank in usual if rank < samples), samples})


def draw(ends: Sequence[int], p_given: NDArray[np.float64], budget: int, seed: int) -> list[int]:
    """Return about `budget` ranks drawn at random from the strata, in random order.

    `ends`: the last rank of each stratum. `p_given` [N]: the given label's probability by rank. A stratum
    gets cards, at equal distances from a random start (systematic sampling: the share of wrong labels falls
    with the rank), in proportion to its size times the deviation that is expected of its labels (Neyman's
    allocation), but at least `MIN_CARDS`, or all that it has.
    """
    rng = np.random.default_rng(seed)
    starts = [0, *ends[:-1]]
    weights = np.array([_weight(p_given[start:end]) for start, end in zip(starts, ends, strict=True)])
    asked = np.maximum(np.rint(budget * weights / weights.sum()), MIN_CARDS)
    chosen: list[int] = []
    for start, end, count in zip(starts, ends, asked.astype(int), strict=True):
        count = min(count, end - start)
        steps = (rng.random() + np.arange(count)) * (end - start) / count
        chosen += (start + 1 + np.floor(steps).astype(int)).tolist()
    return [chosen[index] for index in rng.permutation(len(chosen))]


def _weight(p_given: NDArray[np.float64]) -> float:
    wrong = float(np.clip(1 - p_given.mean(), 0.02, 0.98))
    return len(p_given) * float(np.sqrt(wrong * (1 - wrong)))


def list_order(listed: int, drawn: Iterable[int], seed: int) -> list[int]:
    """Return the ranks of the list: 1 to `listed`, and among them drawn ranks that lie beyond.

    About every fourth card of the beginning is one of these, at random positions and in the order in which
    they were drawn, so that the cards do not show which of them are unsuspicious. No more than a quarter of
    the list is: the others are shown in the random order only.
    """
    beyond = [rank for rank in drawn if rank > listed][: listed // 3]
    positions = min(listed + len(beyond), 4 * len(beyond))
    chosen = np.random.default_rng(seed).choice(positions, size=len(beyond), replace=False)
    is_drawn = np.zeros(listed + len(beyond), dtype=bool)
    is_drawn[chosen] = True
    first_ranks, later_ranks = iter(range(1, listed + 1)), iter(beyond)
    return [next(later_ranks) if other else next(first_ranks) for other in is_drawn]
