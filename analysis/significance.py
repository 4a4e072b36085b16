"""Statistics of paired seeds: arrays in, numbers out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]
LEVEL = 0.05  # at which tests decide


def paired_test(differences: Values, alternative: str = "two-sided") -> float:
    """Return the p-value of a paired t-test that the mean of differences [N] is 0.

    `alternative` is two-sided, greater or less. NaN below two pairs. Differences that are all equal have p 0
    where they have the alternative's sign, else 1.
    """
    if len(differences) < 2:
        return float("nan")
    mean = float(differences.mean())
    if np.ptp(differences) <= 1e-12 * abs(mean):
        points = {"two-sided": mean != 0, "greater": mean > 0, "less": mean < 0}[alternative]
        return 0.0 if points else 1.0
    return float(stats.ttest_1samp(differences, 0.0, alternative=alternative).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979), in the order given; NaN stays NaN."""
    known = [index for index, p in enumerate(p_values) if not np.isnan(p)]
    corrected, highest = list(p_values), 0.0
    for position, index in enumerate(sorted(known, key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, (len(known) - position) * p_values[index]))
        corrected[index] = highest
    return corrected


def bootstrap_interval(
    values: Values, level: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean of values [N]; equal for equal seeds.

    NaN below two values.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))
    low, high = np.quantile(values[drawn].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class PairedMean:
    """The mean of paired differences, with its 95% bootstrap interval and its effect size.

    `effect` is mean over deviation, infinite where the differences are all equal and not 0. `p` is of the
    two-sided paired t-test, corrected over its family. Below two pairs only `mean` is a number.
    """

    pairs: int
    mean: float
    low: float
    high: float
    effect: float
    p: float

    def verdict(self, above: str, below: str, few: str) -> str:
        """Return `above` or `below` where the mean differs from 0, else undecided; `few` below two pairs."""
        if self.pairs < 2:
            return few
        if not self.p <= LEVEL:
            return "undecided"
        return above if self.mean > 0 else below

    def cells(self) -> list[str]:
        """Return mean with interval, effect and p as text; below two pairs the mean alone."""
        if self.pairs < 2:
            return [f"{self.mean:+.4f}", "", ""]
        interval = f"[{self.low:+.4f}, {self.high:+.4f}]"
        return [f"{self.mean:+.4f} {interval}", f"{self.effect:+.2f}", f"{self.p:.2g}"]


def paired_means(family: Sequence[Values]) -> list[PairedMean]:
    """Test that the mean of each of these differences is 0, all corrected as one family (Holm).

    Each has one value or more.
    """
    corrected = holm([paired_test(differences) for differences in family])
    return [_paired_mean(differences, p) for differences, p in zip(family, corrected, strict=True)]


def _paired_mean(differences: Values, p: float) -> PairedMean:
    low, high = bootstrap_interval(differences)
    mean, effect = float(differences.mean()), math.nan
    if len(differences) > 1:
        deviation = float(differences.std(ddof=1))
        effect = mean / deviation if deviation > 0 else math.copysign(math.inf, mean) if mean else 0.0
    return PairedMean(len(differences), mean, low, high, effect, p)


def equivalence(
    difference: float, standard_error: float, freedom: float, margin: float, level: float = LEVEL
) -> str:
    """Return whether a difference of means is smaller than a margin, by two one-sided t-tests (TOST).

    "equivalent" where its 1 - 2 level interval lies inside (-margin, margin), "different" where it lies
    outside, else "inconclusive". `margin` > 0, in the unit of the difference; `freedom` are the degrees of
    freedom of the standard error.
    """
    half = float(stats.t.ppf(1 - level, freedom)) * standard_error
    if abs(difference) + half < margin:
        return "equivalent"
    return "different" if abs(difference) - half > margin else "inconclusive"


@dataclass(frozen=True)
class AverageRanks:
    """Mean ranks [K] of K methods over N rows (1 is best), Friedman's p, Nemenyi's critical difference."""

    methods: tuple[str, ...]
    ranks: Values
    rows: int
    friedman_p: float
    critical_difference: float


def average_ranks(methods: Sequence[str], scores: Values, level: float = LEVEL) -> AverageRanks:
    """Rank K methods by scores [N, K], higher is better, ties sharing their mean rank (Demsar 2006).

    Raises ValueError below three methods or two rows, where there is no such test.
    """
    rows, count = scores.shape
    if count < 3 or rows < 2:
        raise ValueError(f"ranks need three methods and two rows, here are {count} and {rows}")
    ranks = stats.rankdata(-scores, axis=1).mean(0)
    studentized = stats.studentized_range.ppf(1 - level, count, np.inf) / np.sqrt(2)
    critical = float(studentized * np.sqrt(count * (count + 1) / (6 * rows)))
    friedman = float(stats.friedmanchisquare(*scores.T).pvalue)
    return AverageRanks(tuple(methods), ranks, rows, friedman, critical)
