"""The cells that a figure shows."""

import pandas as pd

from analysis.feeding import Feed
from noisebench.store.blocks import block_cells

# The variant of a loss without unusual parameters.
USUAL = "{}"


def usual_cells(source: Feed, block: str, *metrics: str) -> pd.DataFrame:
    """Return the cells of a block for these metrics, of losses in the papers' form; empty without any."""
    sweep = source.sweep(block)
    if sweep is None:
        return pd.DataFrame()
    return pd.DataFrame(
        [row for metric in metrics for row in block_cells(source.store, sweep, block, metric)]
    )
