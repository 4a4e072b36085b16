"""Which block of which sweep feeds each table of the papers."""

from dataclasses import dataclass
from pathlib import Path

from noisebench.store.blocks import Over

PUBLISHED = Path(__file__).with_name("published.csv")


@dataclass(frozen=True)
class TableItem:
    """A table; `source` names a paper's in published.csv, `spec` is the sweep file that makes it.

    `decimals` are printed after the point. `over` says what a column chooses among, `choose` by the means of
    which other block; see `noisebench.store.blocks.Selection`.
    """

    name: str
    source: str
    title: str
    block: str
    spec: str
    metric: str = "f1"
    decimals: int = 3
    over: Over = "family"
    choose: str | None = None


TABLES = (
    TableItem("table1", "table1", "Table 1: F1 by confident learning", "table1", "paper-table1.yaml"),
    TableItem(
        "table2",
        "table2",
        "Table 2: balanced accuracy by confident learning",
        "table1",
        "paper-table1.yaml",
        metric="balanced_accuracy",
    ),
    TableItem("table3", "table3", "Table 3: F1 on the cleaned test set", "table3", "paper-table3.yaml"),
    TableItem("table4", "table4", "Table 4: F1 with human errors", "table4", "paper-table4.yaml"),
    TableItem("table5", "table5", "Table 5: F1 by AUM", "table5", "paper-table5.yaml", decimals=4),
    TableItem(
        "preliminary-table1",
        "preliminary-table1",
        "Preliminary paper, Table 1: F1",
        "preliminary",
        "preliminary.yaml",
        decimals=4,
        over="delays",
    ),
)

# Every loss tuned alike: parameters chosen by block `choose`, on other seeds than reported.
EQUAL_TUNING = TableItem(
    "equal-tuning",
    "",
    "Equal tuning: F1, parameters chosen on other seeds",
    "report",
    "",
    over="parameters",
    choose="choose",
)

# Blocks of the papers that feed only figures.
FIGURE_BLOCKS = ("fig2", "fig5", "clean", "overfitting", "memorisation")

# Blocks in which many detectors judge the same trainings.
_DATA_OF_DETECTORS = ("digits", "mnist", "cifar-10", "cifar-100")
DETECTOR_BLOCKS = tuple(
    f"detectors-{data}{schedule}" for data in _DATA_OF_DETECTORS for schedule in ("", "-cyclic")
)

# The spec below sweeps/ that makes each block that a table, figure or claim reads.
BLOCK_SPECS = {item.block: item.spec for item in TABLES} | {
    "fig2": "paper-dynamics.yaml",
    "fig5": "paper-delay.yaml",
    "bl-delay": "paper-delay.yaml",
    "choose": "equal-tuning.yaml",
    "report": "equal-tuning.yaml",
    "clean": "clean.yaml",
    "overfitting": "clean.yaml",
    "forms": "bl-forms.yaml",
    "memorisation": "memorisation.yaml",
}

# The block that answers each source in published.csv.
SOURCE_BLOCKS = {item.source: item.block for item in TABLES} | {"figure6": "table5", "text": "clean"}
