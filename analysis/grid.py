"""A table as a value: rows of settings, columns of losses."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from noisebench.store.blocks import Over


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
