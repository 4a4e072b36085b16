"""The measured cells beside the published ones."""

from collections.abc import Mapping, Sequence
from typing import Any

from noisebench.records.folders import ResultsFolder
from noisebench.store.reading import rows

Row = dict[str, Any]


def comparison(
    results: ResultsFolder,
    feeds: Mapping[str, tuple[str, str]],
    searched: Sequence[str],
    open_sources: Sequence[str],
    tolerance: float,
) -> list[Row]:
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
    return rows(results, "paper/comparison", parameters)
