"""What one block of a sweep measured."""

from typing import Any

from noisebench.store.reading import rows
from noisebench.trial.layout import ResultsFolder

Row = dict[str, Any]


def blocks(results: ResultsFolder) -> list[Row]:
    """Return block, sweep, trials, completed of all blocks of all sweeps, the fullest of a name first."""
    return rows(results, "paper/blocks", {})


def block_table(
    results: ResultsFolder, sweep: str, block: str, metric: str, decimals: int, over_delays: bool = False
) -> list[Row]:
    """Return the cells of a block's table, one for each setting and loss, in the order of the manifest.

    Keys: setting_id (one row of the table), dataset, corruption, eta, detector, config (JSON), loss,
    loss_parameters (JSON), delay, parameter, values_tried, value (the best), config_id (of the best), mean,
    std (sample), n, seeds_asked, rank (1 best, 2 second; means equal at `decimals` digits share it), commits
    and hardware (of what the cell is made of). A cell of which nothing is completed has n 0 and no mean. With
    `over_delays` a loss is one cell and its delay is chosen too.
    """
    choice = {"metric": metric, "decimals": decimals, "over_delays": over_delays}
    return rows(results, "paper/table", {"sweep": sweep, "block": block, **choice})


def block_cells(results: ResultsFolder, sweep: str, block: str, metric: str) -> list[Row]:
    """Return every cell of a block for a metric, not only the best parameters: columns of view `block_cells`.

    best_of_setting, best_of_loss tell whether the mean is the best of its row, or of its loss in that row.
    """
    return rows(results, "paper/cells", {"sweep": sweep, "block": block, "metric": metric})


def block_trials(results: ResultsFolder, sweep: str, block: str) -> list[Row]:
    """Return the completed trials of a block: columns of view `runs` with hardware, commit, host, log."""
    return rows(results, "paper/trials", {"sweep": sweep, "block": block})


def block_epochs(results: ResultsFolder, sweep: str, block: str) -> list[Row]:
    """Return the trained epochs of a block's trials.

    Keys: dataset, eta, loss, parameter, value, seed, fold, epoch, training_loss, held_out_loss, quantiles
    (JSON).
    """
    return rows(results, "paper/epochs", {"sweep": sweep, "block": block})
