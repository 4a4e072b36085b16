"""The measured cells beside the published ones."""

from collections.abc import Mapping
from typing import Any

from noisebench.records.folders import ResultsFolder
from noisebench.store.reading import rows

Row = dict[str, Any]


def comparison(results: ResultsFolder, feeds: Mapping[str, tuple[str, str]], tolerance: float) -> list[Row]:
    """Return every row of `published` beside what was measured, in the order of `published`.

    `feeds` gives, by source, the sweep with the block that answers it; other sources are missing. Keys:
    source, dataset, corruption, eta, detector, loss, parameter, value, delay, metric, decimals;
    published_mean, published_std, published_n; mean, std, n, config_id at the same parameter; difference
    (measured - published), standard_errors (difference over its standard error); verdict: reproduced where
    |difference| <= 2 s + tolerance with s pooled, else higher, lower, too few seeds, missing, no verdict.
    best_value, best_delay, best_mean, best_std, best_n, best_difference, best_verdict, parameter_agrees are
    of our best over the grid, None where there was nothing to choose.
    """
    sources = list(feeds)
    places = [feeds[source] for source in sources]
    parameters = {
        "sources": sources,
        "sweeps": [sweep for sweep, _ in places],
        "blocks": [block for _, block in places],
        "tolerance": tolerance,
    }
    return rows(results, "paper/comparison", parameters)
