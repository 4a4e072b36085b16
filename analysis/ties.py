"""Which cells of a table are statistically tied with the best of their row."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from analysis.feeding import Feed
from analysis.grid import Table
from analysis.listing import Listing
from analysis.significance import LEVEL, bootstrap_interval, holm, paired_test
from noisebench.store.blocks import block_trials


@dataclass(frozen=True)
class Contrast:
    """The best cell of a row against another: mean of (best - other) over their common seeds.

    `low`, `high` are its 95% bootstrap interval, `p` the paired t-test's, `p_holm` corrected over the row.
    All are NaN below two common seeds.
    """

    row: tuple[str, ...]
    best: str
    other: str
    config_id: str
    seeds: int
    difference: float
    low: float
    high: float
    p: float
    p_holm: float

    @property
    def tied(self) -> bool:
        """Whether the test leaves the difference undecided."""
        return not self.p_holm <= LEVEL


def contrasts(feed: Feed, table: Table) -> list[Contrast]:
    """Compare the first best cell of each row with every other, over common seeds."""
    if table.sweep is None:
        return []
    values: dict[str, dict[int, float]] = defaultdict(dict)
    for trial in block_trials(feed.store, table.sweep, table.block):
        value = getattr(trial, table.metric)
        if value is not None:
            values[trial.config_id][trial.seed] = value
    every_contrast: list[Contrast] = []
    for row in table.rows:
        ids = {name: cell.config_id for name, cell in row.cells.items() if cell.config_id}
        best = next((name for name in table.columns if name in ids and row.cells[name].rank == 1), None)
        if best is None:
            continue
        pairs = {
            name: _differences(values[ids[best]], values[config_id])
            for name, config_id in ids.items()
            if name != best
        }
        raw = [paired_test(differences) for differences in pairs.values()]
        for (name, differences), p, p_holm in zip(pairs.items(), raw, holm(raw), strict=True):
            low, high = bootstrap_interval(differences)
            mean = float(differences.mean()) if len(differences) else float("nan")
            every_contrast.append(
                Contrast(
                    row.labels,
                    best,
                    name,
                    ids[name],
                    len(differences),
                    mean,
                    low,
                    high,
                    p,
                    p_holm,
                )
            )
    return every_contrast


def listing(table: Table, every_contrast: list[Contrast]) -> Listing:
    """Return the contrasts of a table as rows of text."""
    digits = table.decimals + 1
    rows = [
        [
            " ".join(label for label in each.row if label),
            each.best,
            each.other,
            str(each.seeds),
            f"{each.difference:+.{digits}f} [{each.low:+.{digits}f}, {each.high:+.{digits}f}]",
            f"{each.p:.2g}",
            f"{each.p_holm:.2g}",
            "tied" if each.tied else "",
        ]
        for each in every_contrast
    ]
    heads = ["row", "best", "other", "seeds", "best - other [95%]", "p", "p (Holm)", ""]
    return Listing(f"{table.name}-contrasts", f"{table.title}, best beside the others", heads, rows)


def _differences(best: dict[int, float], other: dict[int, float]) -> np.ndarray:
    return np.array([best[seed] - other[seed] for seed in sorted(best.keys() & other.keys())], dtype=float)
