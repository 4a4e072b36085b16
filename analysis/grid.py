"""A table as a value: rows of settings, columns of losses."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from noisebench.store.blocks import Over, TableCell


@dataclass(frozen=True)
class Cell:
    """Mean and sample deviation over `n` of `seeds_asked` seeds, at the best parameter where one is swept.

    `rank` is 1 for the best of the row and 2 for the second; `tied`: statistically tied with it. A missing
    cell has n 0. `commits` and `hardware` are all that its attempts ran on.
    """

    mean: float | None = None
    std: float | None = None
    n: int = 0
    seeds_asked: int | None = None
    rank: int | None = None
    parameter: str | None = None
    value: float | None = None
    delay: int | None = None
    chosen: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    hardware: tuple[str, ...] = ()
    config_id: str | None = None
    tied: bool = False

    @property
    def warnings(self) -> list[str]:
        """Reasons for caution about the mean, each in two or three words."""
        reasons = []
        if self.n and self.seeds_asked and self.n < self.seeds_asked:
            reasons.append(f"n={self.n} of {self.seeds_asked}")
        if len(self.commits) > 1:
            reasons.append(f"{len(self.commits)} commits")
        if len(self.hardware) > 1:
            reasons.append(f"{len(self.hardware)} kinds of hardware")
        return reasons


@dataclass(frozen=True)
class Row:
    """One setting; `labels` stand under the table's heads."""

    labels: tuple[str, ...]
    cells: dict[str, Cell]
    setting_id: str | None = None


@dataclass
class Table:
    """A table to be rendered; `columns` are losses, a row without one of them has a missing cell there.

    `over` and `choose` are as in `noisebench.store.blocks.Selection`. `published_seeds` is how many seeds
    the paper's cells have, None where it does not print that.
    """

    name: str
    title: str
    metric: str
    decimals: int
    sweep: str | None
    block: str
    spec: str
    heads: tuple[str, ...] = ("data set", "eta")
    columns: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    over: Over = "family"
    choose: str | None = None
    published_seeds: int | None = None

    def cells(self) -> Iterable[tuple[Row, str, Cell]]:
        """Yield every cell with its row and column, missing ones too."""
        for row in self.rows:
            for column in self.columns:
                yield row, column, row.cells.get(column, Cell())

    @property
    def seeds(self) -> int | None:
        """The number of seeds that stands for most cells; None where all are missing."""
        counts = [cell.n for _, _, cell in self.cells() if cell.n]
        return max(set(counts), key=lambda n: (counts.count(n), n)) if counts else None

    @property
    def missing(self) -> int:
        """How many cells have no completed trial."""
        return sum(cell.n == 0 for _, _, cell in self.cells())


def column_name(cell: TableCell, among: Sequence[TableCell], over: Over = "family") -> str:
    """Name the column of a cell among all cells of its table: by its loss, where that is enough.

    What a loss has that its name does not imply is added, as is what differs where it stands in one row
    several times; what a column chooses (see `over`) is not. A parameter that differs from row to row because
    it follows the data set, as ANL's do, tells no columns apart.
    """
    if over == "parameters":
        return cell.loss
    same = [other for other in among if other.loss == cell.loss]
    distinguishing = dict.fromkeys(name for other in same for name in json.loads(other.variant))
    for setting in dict.fromkeys(other.setting_id for other in same):
        together = [_fixed(other, over) for other in same if other.setting_id == setting]
        distinguishing |= dict.fromkeys(differing(together))
    fixed = _fixed(cell, over)
    return ", ".join([cell.loss, *(f"{name} {plain(fixed.get(name))}" for name in distinguishing)])


def setting_labels(configs: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return how each setting differs from others of the same data set, corruption, rate and detector.

    `configs` are configurations by setting_id; the label is empty where nothing else differs.
    """
    flat = {setting: _flat(config) for setting, config in configs.items()}
    keys = {}
    for setting, fields in flat.items():
        same = [
            other for other in flat.values() if all(other.get(name) == fields.get(name) for name in _SHOWN)
        ]
        keys[setting] = differing(same)
    return {
        setting: ", ".join(f"{key.split('.')[-1]} {plain(flat[setting].get(key))}" for key in differing)
        for setting, differing in keys.items()
    }


def _fixed(cell: TableCell, over: Over) -> dict[str, Any]:
    """Return the parameters of a loss that its column does not choose."""
    parameters = json.loads(cell.loss_parameters)
    parameters.pop(cell.parameter, None)
    return parameters if over == "delays" else {**parameters, "delay": cell.delay}


_SHOWN = ("dataset.name", "dataset.samples", "corruption.name", "corruption.rate", "detector.name")


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in config.items():
        if prefix == "" and key == "loss":
            continue
        if isinstance(value, dict):
            fields |= _flat(value, f"{prefix}{key}.")
        else:
            fields[f"{prefix}{key}"] = json.dumps(value) if isinstance(value, list) else value
    return fields


def differing(variants: list[dict[str, Any]]) -> list[str]:
    """Return the keys whose values differ between the mappings."""
    keys = dict.fromkeys(key for variant in variants for key in variant)
    return [key for key in keys if len({variant.get(key) for variant in variants}) > 1]


def plain(value: Any) -> str:
    """Return a value as tables show it, numbers without trailing zeros."""
    return f"{value:g}" if isinstance(value, float) else str(value)
