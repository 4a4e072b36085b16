"""How many labels are wrong, estimated from the labels that a person has reviewed.

Ranks are divided into parts: the strata of the random cards, and the ranks from 1 on that are all reviewed.
In a part with n random cards of which x are wrong, the share of wrong labels has the distribution
Beta(x + 1/2, n - x + 1/2) (Jeffreys' prior), and the number of wrong ones among those not drawn is binomial.
Intervals are the 2.5% and 97.5% quantiles of sums over parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000
MIN_BEYOND = 5  # random cards that speak for the rest of a stratum
CUTS = (10, 25, 50, 100, 200, 300, 500, 1000, 2000, 3000, 5000, 10_000)


@dataclass(frozen=True)
class Reviewed:
    """What is known after a review.

    `samples`: N. `ends`: the last rank of each stratum. `drawn`: the ranks of the random cards, in
    order. `listed`: the last rank of the page's list. `wrong`: by rank, whether the reviewer holds the
    label to be wrong; ranks that are not reviewed, or about which the reviewer is unsure, are absent.
    `seen_of_draw` and `seen_of_list`: how far the reviewer came in `drawn`, as cards of the random order, and
    as those cards of the list that lie beyond rank `listed`; positions from 0, -1 for none.
    """

    samples: int
    ends: Sequence[int]
    drawn: Sequence[int]
    listed: int
    wrong: Mapping[int, bool]
    unsure: frozenset[int] = frozenset()
    seen_of_draw: int = -1
    seen_of_list: int = -1


@dataclass(frozen=True)
class Interval:
    """An estimate (the median) with its 95% interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Part:
    """Ranks `first` to `last`: how many cards count as drawn at random, how many of them are wrong.

    `reviewed` and `errors` also count cards that were not drawn. `errors_estimated` is None if nothing is
    known of the labels that were not reviewed.
    """

    first: int
    last: int
    random: int
    random_errors: int
    reviewed: int
    errors: int
    errors_estimated: Interval | None

    @property
    def size(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True)
class Cut:
    """The precision among the labels of rank 1 to `rank`, in [0, 1]; None if it cannot be said yet."""

    rank: int
    precision: Interval | None


@dataclass(frozen=True)
class Estimates:
    """What a review says of all labels.

    `total`: wrong given labels. `remaining`: those that are not among the wrong labels found so far. Both are
    None if in some part no random card was reviewed.
    """

    reviewed: int
    errors_found: int
    unsure: int
    total: Interval | None
    remaining: Interval | None
    parts: tuple[Part, ...]
    cuts: tuple[Cut, ...]

    def as_fields(self) -> dict[str, Any]:
        """Return the estimates for JSON."""
        return {
            "reviewed": self.reviewed,
            "found": self.errors_found,
            "unsure": self.unsure,
            "total": _fields(self.total),
            "remaining": _fields(self.remaining),
            "parts": [
                {**vars(part), "errors_estimated": _fields(part.errors_estimated)} for part in self.parts
            ],
            "cuts": [{"rank": cut.rank, "precision": _fields(cut.precision)} for cut in self.cuts],
        }


class _Draws:
    """The parts of a review with draws of their numbers of wrong labels."""

    def __init__(self, reviewed: Reviewed, draws: int) -> None:
        self.reviewed, self.draws = reviewed, draws
        self.rng = np.random.default_rng(0)
        self.random = _random_ranks(reviewed)
        self.frontier = _frontier(reviewed)
        self.ends = self._ends()
        starts = [1, *(end + 1 for end in self.ends[:-1])]
        self.parts = [self.part(first, last) for first, last in zip(starts, self.ends, strict=True)]

    def _ends(self) -> list[int]:
        """Return the last rank of each part: of each stratum, and of the labels that were all reviewed.

        These are apart from the rest of their stratum, whose share of wrong labels is lower, unless too few
        random cards remain for the rest.
        """
        ends = self.reviewed.ends
        stratum = next(position for position, end in enumerate(ends) if self.frontier <= end)
        start = ends[stratum - 1] if stratum else 0
        cards = [
            rank for rank in self.random if start < rank <= ends[stratum] and rank in self.reviewed.wrong
        ]
        beyond = sum(rank > self.frontier for rank in cards)
        apart = self.frontier > 0 and (beyond >= MIN_BEYOND or not cards)
        return sorted({*self.reviewed.ends, *([self.frontier] if apart else [])})

    def part(self, first: int, last: int) -> tuple[Part, NDArray[np.int64]]:
        """Return ranks `first` to `last` as a part, with draws of its number of wrong labels."""
        wrong = self.reviewed.wrong
        inside = [rank for rank in wrong if first <= rank <= last]
        unsure = sum(first <= rank <= last for rank in self.reviewed.unsure)
        size, errors = last - first + 1, sum(wrong[rank] for rank in inside)
        whole = len(inside) + unsure == size
        counted = inside if whole else [rank for rank in inside if rank in self.random]
        n, x = len(counted), sum(wrong[rank] for rank in counted)
        share = self.rng.beta(x + 0.5, n - x + 0.5, size=self.draws)
        counts = x + self.rng.binomial(size - n, share)
        # Labels reviewed in another order say nothing of the rest, but they are known themselves.
        counts = np.clip(counts, errors, size - (len(inside) - errors))
        known = n > 0 or len(inside) == size
        interval = _interval(counts) if known else None
        return Part(first, last, n, x, len(inside) + unsure, errors, interval), counts

    def total(self, parts: int) -> NDArray[np.int64] | None:
        """Return draws of the number of wrong labels in the first parts; None if one of them is unknown."""
        if any(part.errors_estimated is None for part, _ in self.parts[:parts]):
            return None
        return np.asarray(np.sum([counts for _, counts in self.parts[:parts]], axis=0))

    def cut(self, rank: int) -> Cut | None:
        """Return the precision up to a rank; None if it is neither all reviewed nor the end of a part."""
        if rank > self.frontier and rank not in self.ends:
            return None
        whole = rank <= self.frontier
        counts = self.part(1, rank)[1] if whole else self.total(self.ends.index(rank) + 1)
        return Cut(rank, None if counts is None else _interval(counts / rank))


def estimate(reviewed: Reviewed, suspects: int, draws: int = DRAWS) -> Estimates:
    """Return the estimates, from `draws` draws; equal input gives equal output."""
    known = _Draws(reviewed, draws)
    errors_found = sum(reviewed.wrong.values())
    total = known.total(len(known.parts))
    cuts = sorted({cut for cut in CUTS if cut <= suspects} | ({suspects} if suspects else set()))
    return Estimates(
        reviewed=len(reviewed.wrong) + len(reviewed.unsure),
        errors_found=errors_found,
        unsure=len(reviewed.unsure),
        total=None if total is None else _interval(total),
        remaining=None if total is None else _interval(total - errors_found),
        parts=tuple(part for part, _ in known.parts),
        cuts=tuple(each for each in map(known.cut, cuts) if each is not None),
    )


def _frontier(reviewed: Reviewed) -> int:
    """Return the last rank up to which every label is reviewed."""
    rank = 0
    while rank + 1 in reviewed.wrong or rank + 1 in reviewed.unsure:
        rank += 1
    return rank


def _random_ranks(reviewed: Reviewed) -> set[int]:
    """Return the ranks whose cards were reached because they were drawn, not because of their rank.

    The reviewer may have decided on some of them earlier, in another order: they count, because every
    beginning of the random order is a random sample.
    """
    return {
        rank
        for position, rank in enumerate(reviewed.drawn)
        if position <= reviewed.seen_of_draw or (rank > reviewed.listed and position <= reviewed.seen_of_list)
    }


def _interval(draws: NDArray[Any]) -> Interval:
    low, middle, high = np.quantile(draws, (0.025, 0.5, 0.975))
    return Interval(float(middle), float(low), float(high))


def _fields(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else vars(interval)
