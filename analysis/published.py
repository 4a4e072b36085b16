"""The papers' printed numbers beside the measured cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from analysis.statements import SQL
from noisebench.errors import InputError
from noisebench.store.store import Store

_TEXT, _REAL, _WHOLE = pa.string(), pa.float64(), pa.int64()
COLUMNS = {
    **dict.fromkeys(("source", "dataset", "corruption", "detector", "loss", "parameter", "metric"), _TEXT),
    **dict.fromkeys(("eta", "value", "mean", "std"), _REAL),
    **dict.fromkeys(("delay", "seeds", "decimals"), _WHOLE),
}


@dataclass(frozen=True)
class PublishedNumber:
    """A published number beside one setting that measured it, or beside none.

    `place` is its position in `published`. `is_fed` is true where the setting is in the block that answers
    the source. `config` (JSON) is a configuration of the setting; its loss and seed may be others.
    mean, std, n, config_id, commits and hardware are measured at the same parameter; `difference` is
    measured - published, `deviation` is pooled, `standard_errors` is the difference over `standard_error`.
    `verdict`: reproduced where |difference| <= 2 deviation + tolerance, else higher, lower, too few seeds,
    missing, no verdict. The best_* fields and `parameter_agrees` are of our best over the grid, None where
    there was nothing to choose.
    """

    source: str
    dataset: str
    corruption: str
    detector: str
    loss: str
    parameter: str | None
    metric: str
    eta: float | None
    value: float | None
    delay: int | None
    decimals: int
    place: int
    published_mean: float
    published_std: float | None
    published_n: int | None
    sweep: str | None
    block: str | None
    arithmetic: str | None
    is_fed: bool
    config: str | None
    mean: float | None
    std: float | None
    n: int | None
    config_id: str | None
    difference: float | None
    deviation: float | None
    best_value: float | None
    best_delay: int | None
    best_mean: float | None
    best_std: float | None
    best_n: int | None
    best_difference: float | None
    standard_error: float | None
    standard_errors: float | None
    verdict: str
    best_verdict: str | None
    parameter_agrees: bool | None
    commits: list[str]
    hardware: list[str]


def load_published(store: Store, csv: Path) -> None:
    """Let queries read what a CSV file prints as table `published`.

    `decimals` counts the digits printed after the point. Raises InputError where the file doesn't fit.
    """
    convert = pa.csv.ConvertOptions(
        column_types=COLUMNS, include_columns=list(COLUMNS), null_values=[""], strings_can_be_null=True
    )
    try:
        table = pa.csv.read_csv(csv, convert_options=convert)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise InputError(f"{csv}: {error}") from None
    store.add_table("published", table)
    store.define(SQL.text("verdicts"))


def comparison(
    store: Store,
    feeds: Mapping[str, tuple[str, str]],
    searched: Sequence[str],
    open_sources: Sequence[str],
    tolerance: float,
) -> list[PublishedNumber]:
    """Return every row of `published` beside each setting that measured it, in the order of `published`.

    A setting is a block's configuration without loss and seed. `feeds` gives, by source, the sweep with the
    block that answers it; sources in `open_sources` are answered by every block of the sweeps `searched`, by
    dataset, corruption, eta, detector, loss, parameter, value, delay and metric. A published number without
    any has one row.
    """
    sources = list(feeds)
    places = [feeds[source] for source in sources]
    parameters = {
        "sources": sources,
        "sweeps": [sweep for sweep, _ in places],
        "blocks": [block for _, block in places],
        "searched": list(searched),
        "open": list(open_sources),
        "tolerance": tolerance,
    }
    return [PublishedNumber(**row) for row in store.rows_of(SQL.text("comparison"), parameters)]
