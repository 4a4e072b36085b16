"""Each published number beside ours: verdict, equivalence margin, and what else the verdict would accept."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.feeding import Feed
from analysis.items import PUBLISHED, SOURCE_BLOCKS
from analysis.published import PublishedNumber, comparison, load_published
from analysis.recipes import recipe_differences, recipe_text
from analysis.significance import equivalence

TOLERANCE = 0.001
VERDICTS = ("reproduced", "higher", "lower", "too few seeds", "no verdict", "missing")
# Verdicts without information on the paper.
SILENT = ("missing", "no verdict")
# P1 trains with another recipe: its numbers are compared with its own block alone.
_CLOSED_SOURCES = ("preliminary-table1",)
_PROPOSED = ("BL", "PZ")

TableRow = tuple[str, str, float | None, str]


@dataclass(frozen=True)
class ComparedNumber(PublishedNumber):
    """A published number beside ours, with what the verdict does and does not say.

    `precision` of the arithmetic; `recipe`: what differs from the data set's recipe, "" for nothing;
    `bound`: the largest difference that counts as reproduced; `margin`: see `equivalence_margin`;
    `equivalence`: equivalent, different, inconclusive, None where it can't be tested;
    `also_accepts`: other losses whose published mean lies within the bound of this one, which the verdict
    could not have told apart; `settings` counts the settings that measured the number.
    """

    precision: str | None
    recipe: str | None
    bound: float | None
    margin: float | None
    equivalence: str | None
    also_accepts: list[str]
    settings: int


def compared(source: Feed, tolerance: float = TOLERANCE) -> list[ComparedNumber]:
    """Load the published numbers and return each beside ours, one row each, in their order."""
    return one_setting_each(settings_compared(source, tolerance))


def one_setting_each(rows: Sequence[ComparedNumber]) -> list[ComparedNumber]:
    """Return one row for each published number.

    The setting of the block that feeds the number comes first, then the data set's recipe, then reference
    arithmetic, then the most seeds; the result never decides.
    """
    by_place: dict[int, list[ComparedNumber]] = defaultdict(list)
    for row in rows:
        by_place[row.place].append(row)
    return [min(same, key=_preference) for same in by_place.values()]


def settings_compared(source: Feed, tolerance: float = TOLERANCE) -> list[ComparedNumber]:
    """Return each published number beside every setting that measured it; one row where none did."""
    load_published(source.store, PUBLISHED)
    feeds = {name: (sweep, block) for name, block in SOURCE_BLOCKS.items() if (sweep := source.sweep(block))}
    searched = sorted({sweep for sweep, _ in source.blocks})
    open_sources = [name for name in SOURCE_BLOCKS if name not in _CLOSED_SOURCES]
    rows = comparison(source.store, feeds, searched, open_sources, tolerance)
    printed: dict[TableRow, dict[str, float]] = defaultdict(dict)
    for row in rows:
        printed[_table_row(row)][row.loss] = row.published_mean
    settings = Counter(row.place for row in rows if row.mean is not None)
    return [_compared(row, printed[_table_row(row)], tolerance, settings[row.place]) for row in rows]


def exit_code(rows: Sequence[ComparedNumber]) -> int:
    """Return 0 if a published cell has results and all that have are reproduced, else 1.

    Cells with too few seeds are not reproduced; cells without verdict do not count.
    """
    return 0 if {row.verdict for row in rows if row.verdict not in SILENT} == {"reproduced"} else 1


def _compared(
    row: PublishedNumber, means: dict[str, float], tolerance: float, settings: int
) -> ComparedNumber:
    """Return the row with what `settings_compared` adds; `means` are printed in the same table row."""
    bound = None if row.deviation is None else 2 * row.deviation + tolerance
    margin = equivalence_margin(means, row.decimals)
    accepted = [
        loss
        for loss, mean in means.items()
        if bound is not None and loss != row.loss and abs(mean - row.published_mean) <= bound + 1e-12
    ]
    return ComparedNumber(
        **vars(row),
        precision=row.arithmetic,
        recipe=recipe_text(recipe_differences(json.loads(row.config))) if row.config else None,
        bound=bound,
        margin=margin,
        equivalence=_equivalence(row, margin),
        also_accepts=accepted if row.mean is not None else [],
        settings=settings,
    )


def equivalence_margin(means: dict[str, float], decimals: int) -> float | None:
    """Return half the gap between CE and the better of BL and PZ, at least half a printed digit.

    A mean that is off by less turns no claim of that row around. None for a row without CE, BL or PZ.
    """
    proposed = [means[loss] for loss in _PROPOSED if loss in means]
    if "CE" not in means or not proposed:
        return None
    return max(abs(max(proposed) - means["CE"]) / 2, 0.5 * 10.0**-decimals)


def _equivalence(row: PublishedNumber, margin: float | None) -> str | None:
    if margin is None or row.standard_error is None or row.difference is None or row.n is None:
        return None
    freedom = (
        row.n - 1 if row.published_std is None or row.published_n is None else row.n + row.published_n - 2
    )
    return equivalence(row.difference, row.standard_error, freedom, margin)


def _table_row(row: PublishedNumber) -> TableRow:
    return row.source, row.dataset, row.eta, row.metric


def _preference(row: ComparedNumber) -> tuple[object, ...]:
    return (
        row.mean is None and row.best_mean is None,
        not row.is_fed,
        bool(row.recipe),
        row.precision != "reference",
        row.mean is None,
        -(row.n or 0),
        row.sweep or "",
        row.block or "",
        row.config_id or "",
    )
