"""The papers' printed numbers beside the measured cells."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
) -> list[dict[str, Any]]:
    """Return every row of `published` beside each setting that measured it, in the order of `published`.

    A setting is a block's configuration without loss and seed. `feeds` gives, by source, the sweep with the
    block that answers it; sources in `open_sources` are answered by every block of the sweeps `searched`, by
    dataset, corruption, eta, detector, loss, parameter, value, delay and metric. A published number without
    any has one row. Keys:
    source, dataset, corruption, eta, detector, loss, parameter, value, delay, metric, decimals, place;
    published_mean, published_std, published_n; sweep, block, is_fed, arithmetic, config (JSON);
    mean, std, n, config_id, commits, hardware at the same parameter; difference (measured - published),
    deviation (pooled), standard_error, standard_errors (difference over it); verdict: reproduced where
    |difference| <= 2 deviation + tolerance, else higher, lower, too few seeds, missing, no verdict.
    best_value, best_delay, best_mean, best_std, best_n, best_difference, best_verdict, parameter_agrees are
    of our best over the grid, None where there was nothing to choose.
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
    return store.rows_of(SQL.text("comparison"), parameters)
