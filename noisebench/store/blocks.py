"""What one block of a sweep measured."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from noisebench.errors import InputError
from noisebench.store.store import Store

Row = dict[str, Any]
Over = Literal["family", "delays", "parameters"]


@dataclass(frozen=True)
class Selection:
    """What the cells of a table show: the best by a metric, with ranks among means as printed.

    `over` says what a column chooses among: the swept parameter of a family, delays too, or all parameters of
    a loss; `choose` is the block by whose means it chooses, the table's own unless given.
    """

    metric: str = "f1"
    decimals: int = 3
    over: Over = "family"
    choose: str | None = None


def block_table(store: Store, sweep: str, block: str, selection: Selection) -> list[Row]:
    """Return the cells of a block's table, one for each setting and column, in the order of the manifest.

    Keys: setting_id (one row of the table), dataset, corruption, eta, detector, config (JSON), loss, variant
    (JSON), parameter, tried (all its loss_parameters, JSON), delays (all), seeds_asked; of the best
    loss_parameters, delay, value, config_id, mean, std (sample), n, rank (1 best, 2 second; means equal at
    `decimals` digits share it), commits and hardware. A cell with nothing completed has n 0 and no mean.
    """
    choice = asdict(selection) | {"choose": selection.choose or block}
    return store.rows("blocks/table", {"sweep": sweep, "block": block, **choice})


def sweep_tables(store: Store, sweep: str, metric: str) -> list[Row]:
    """Return the cells of all tables of a sweep, as `block_table` has them, block by block.

    Key `block` names the block. Raises InputError where no parameter can be chosen by the metric.
    """
    choosing = [row["name"] for row in store.rows("blocks/choosing_metrics")]
    if metric not in choosing:
        raise InputError(f"no table can be made of metric {metric!r}; known: {', '.join(choosing)}")
    return [
        {"block": row["block"], **cell}
        for row in store.rows("blocks/names", {"sweep": sweep})
        for cell in block_table(store, sweep, row["block"], Selection(metric))
    ]


def block_candidates(store: Store, sweep: str, block: str, metric: str, over: Over = "family") -> list[Row]:
    """Return what each column of a block's table, as `block_table` has it, chooses among.

    Keys: setting_id, column_id (together one cell of the table), config_id, dataset, eta, loss,
    loss_parameters (JSON), value, delay, mean, std, n.
    """
    return store.rows(
        "blocks/candidates",
        {"sweep": sweep, "block": block, "metric": metric, "over": over},
    )


def block_configs(store: Store, sweep: str, block: str) -> dict[str, str]:
    """Return the configurations (JSON) of a block's trials by config_id."""
    rows = store.rows("blocks/configs", {"sweep": sweep, "block": block})
    return {row["config_id"]: row["config"] for row in rows}


def block_cells(store: Store, sweep: str, block: str, metric: str) -> list[Row]:
    """Return every cell of a block for a metric, not only the best parameters: columns of view `block_cells`.

    Only of losses as their names alone say: BL printed is another loss than BL. best_of_setting and
    best_of_loss tell whether the mean is the best of its row, or of its loss in that row.
    """
    return store.rows("blocks/cells", {"sweep": sweep, "block": block, "metric": metric})


def block_trials(store: Store, sweep: str, block: str) -> list[Row]:
    """Return the completed trials of a block: view `runs` with hardware, fast_path, commit, host, log."""
    return store.rows("blocks/trials", {"sweep": sweep, "block": block})


def block_epochs(store: Store, sweep: str, block: str) -> list[Row]:
    """Return the trained epochs of a block's trials.

    Keys: dataset, eta, loss, parameter, value, variant (JSON), delay, seed, fold, epoch, training_loss,
    held_out_loss, quantiles (JSON).
    """
    return store.rows("blocks/epochs", {"sweep": sweep, "block": block})


def measured_trials(store: Store) -> list[Row]:
    """Return every completed trial of every block: its keys, metrics, training recipe, commit and hardware.

    `arithmetic` is the precision of the training, `precision` the metric.
    """
    return store.rows("blocks/measured_trials")
