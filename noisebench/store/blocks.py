"""What one block of a sweep measured."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from noisebench.errors import InputError
from noisebench.store.store import Store

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


@dataclass(frozen=True)
class TableCell:
    """One cell of a block's table, in the row of its setting: the best of what its column chooses among.

    `tried` are all its loss_parameters, `delays` all its delays. Of the best: loss_parameters, delay, value,
    config_id, mean, std (sample), n, rank (1 best, 2 second; means equal as printed share it), commits and
    hardware. config, variant, loss_parameters and each of `tried` are JSON. Where nothing completed, n is 0,
    and config_id, mean, std, rank are None.
    """

    block: str
    setting_id: str
    dataset: str
    corruption: str
    eta: float | None
    detector: str
    config: str
    loss: str
    variant: str
    loss_parameters: str
    tried: list[str]
    delay: int
    delays: list[int]
    parameter: str | None
    value: float | None
    config_id: str | None
    mean: float | None
    std: float | None
    n: int
    seeds_asked: int
    rank: int | None
    commits: list[str]
    hardware: list[str]


@dataclass(frozen=True)
class Candidate:
    """A configuration that a cell of a block's table chooses among; the cell is (setting_id, column_id)."""

    setting_id: str
    column_id: str
    config_id: str
    dataset: str
    eta: float | None
    loss: str
    loss_parameters: str
    value: float | None
    delay: int
    mean: float
    std: float | None
    n: int


@dataclass(frozen=True)
class Configuration:
    """What the trials of a cell have in common; loss_parameters and variant are JSON."""

    config_id: str
    family_id: str
    setting_id: str
    dataset: str
    corruption: str
    eta: float | None
    loss: str
    parameter: str | None
    value: float | None
    loss_parameters: str
    variant: str
    delay: int
    detector: str
    model: str
    epochs: int
    arithmetic: str


@dataclass(frozen=True)
class BlockCell(Configuration):
    """A configuration with one metric over the seeds of its block, as view `block_cells` has it.

    `best_of_setting` and `best_of_loss`: whether the mean is the best of its row, or of its loss in that row.
    """

    metric: str
    mean: float
    std: float | None
    n: int
    seeds_asked: int
    best_of_setting: bool
    best_of_loss: bool


@dataclass(frozen=True)
class BlockTrial(Configuration):
    """A completed trial as view `runs` has it, with what ran it; metrics are None where not measured."""

    seed: int
    attempt_id: str
    ended_at: datetime
    precision: float | None
    recall: float | None
    f1: float | None
    specificity: float | None
    balanced_accuracy: float | None
    auroc: float | None
    average_precision: float | None
    flagged: int | None
    correct: int | None
    wrong_labels: int | None
    samples: int | None
    realised_rate: float | None
    clean_accuracy: float | None
    clean_test_accuracy: float | None
    seconds: float | None
    threshold: float | None
    cohens_d: float | None
    wasserstein: float | None
    noise_hash: str | None
    guard: str | None
    knows_rate: bool | None
    trial_id: str
    hardware: str
    fast_path: str | None
    commit: str | None
    host: str | None
    log: str | None


@dataclass(frozen=True)
class TrainedEpoch:
    """A trained epoch of a trial, from 0; `quantiles` (JSON) only where the trial asked for dynamics."""

    dataset: str
    eta: float | None
    loss: str
    parameter: str | None
    value: float | None
    variant: str
    delay: int
    seed: int
    fold: int
    epoch: int
    training_loss: float | None
    held_out_loss: float | None
    quantiles: str | None


@dataclass(frozen=True)
class MeasuredTrial:
    """A completed trial of a block: its metrics, training recipe and origin.

    `arithmetic` is the precision of the training, `precision` the metric.
    """

    sweep: str
    block: str
    trial_id: str
    dataset: str
    corruption: str
    eta: float | None
    detector: str
    loss: str
    parameter: str | None
    value: float | None
    delay: int
    variant: str
    seed: int
    f1: float | None
    balanced_accuracy: float | None
    precision: float | None
    recall: float | None
    clean_test_accuracy: float | None
    samples: int | None
    wrong_labels: int | None
    flagged: int | None
    correct: int | None
    model: str
    epochs: int
    batch_size: str
    learning_rate: str
    input_scale: str
    arithmetic: str
    fast_path: str | None
    seconds: float | None
    commit: str | None
    hardware: str


def block_table(store: Store, sweep: str, block: str, selection: Selection) -> list[TableCell]:
    """Return the cells of a block's table, one for each setting and column, in the order of the manifest."""
    choice = asdict(selection) | {"choose": selection.choose or block}
    rows = store.rows("blocks/table", {"sweep": sweep, "block": block, **choice})
    return [TableCell(block=block, **row) for row in rows]


def sweep_tables(store: Store, sweep: str, metric: str) -> list[TableCell]:
    """Return the cells of all tables of a sweep, as `block_table` has them, block by block.

    Raises InputError where no parameter can be chosen by the metric.
    """
    choosing = [row["name"] for row in store.rows("blocks/choosing_metrics")]
    if metric not in choosing:
        raise InputError(f"no table can be made of metric {metric!r}; known: {', '.join(choosing)}")
    return [
        cell
        for row in store.rows("blocks/names", {"sweep": sweep})
        for cell in block_table(store, sweep, row["block"], Selection(metric))
    ]


def block_candidates(
    store: Store, sweep: str, block: str, metric: str, over: Over = "family"
) -> list[Candidate]:
    """Return what each column of a block's table, as `block_table` has it, chooses among."""
    question = {"sweep": sweep, "block": block, "metric": metric, "over": over}
    return store.typed_rows(Candidate, "blocks/candidates", question)


def block_configs(store: Store, sweep: str, block: str) -> dict[str, str]:
    """Return the configurations (JSON) of a block's trials by config_id."""
    rows = store.rows("blocks/configs", {"sweep": sweep, "block": block})
    return {row["config_id"]: row["config"] for row in rows}


def block_cells(store: Store, sweep: str, block: str, metric: str) -> list[BlockCell]:
    """Return every cell of a block for a metric, not only the best parameters.

    Only of losses as their names alone say: BL printed is another loss than BL.
    """
    question = {"sweep": sweep, "block": block, "metric": metric}
    return store.typed_rows(BlockCell, "blocks/cells", question)


def block_trials(store: Store, sweep: str, block: str) -> list[BlockTrial]:
    """Return the completed trials of a block in the order of the manifest."""
    return store.typed_rows(BlockTrial, "blocks/trials", {"sweep": sweep, "block": block})


def block_epochs(store: Store, sweep: str, block: str) -> list[TrainedEpoch]:
    """Return the trained epochs of a block's trials, trial by trial."""
    return store.typed_rows(TrainedEpoch, "blocks/epochs", {"sweep": sweep, "block": block})


def measured_trials(store: Store) -> list[MeasuredTrial]:
    """Return every completed trial of every block that asks for it, sweep by sweep."""
    return store.typed_rows(MeasuredTrial, "blocks/measured_trials")
