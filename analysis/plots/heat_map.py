"""F1 of every loss and parameter by rate of wrong labels: P2 Fig. 4."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.feeding import Feed
from analysis.plots.cells import usual_cells
from analysis.plots.style import YELLOW, new_figure

DATASETS = ("MNIST", "CIFAR-100")
BASELINES = ("CE", "FL", "GCE", "ANL-CE", "ANL-FL")
# Without the bright end of viridis, where yellow marks are invisible.
_COLOURS = ListedColormap(colormaps["viridis"](np.linspace(0, 0.62, 256)))


def heat_map(source: Feed) -> Figure | None:
    """Draw rows eta, columns baselines, gammas, cutoffs; yellow marks the best of each row.

    Bold yellow text: the best of the row; yellow boxes: the best gamma and the best c; a white line behind
    the baselines.
    """
    cells = usual_cells(source, "table1", "f1")
    shown = [name for name in DATASETS if len(cells) and name in set(cells.dataset)]
    if not shown:
        return None
    figure, axes = new_figure(len(shown), 1, 2.2 * len(shown))
    for axis, dataset in zip(axes[:, 0], shown, strict=True):
        _panel(figure, axis, cells[cells.dataset == dataset])
        axis.set_title(dataset)
    return figure


def _panel(figure: Figure, axis: Any, cells: pd.DataFrame) -> None:
    columns = _columns(cells)
    etas = sorted(cells.eta.unique())
    values = np.full((len(etas), len(columns)), np.nan)
    axis.grid(False)
    for _, cell in cells.iterrows():
        row, column = etas.index(cell.eta), columns.index(_key(cell))
        values[row, column] = cell["mean"]
        best = {"color": YELLOW, "fontweight": "bold"} if cell.best_of_setting else {"color": "white"}
        axis.text(
            column, row, f"{cell['mean']:.3f}".lstrip("0"), ha="center", va="center", fontsize=6, **best
        )
        if cell.best_of_loss and cell.loss in ("BL", "PZ"):
            axis.add_patch(
                Rectangle(
                    (column - 0.46, row - 0.44), 0.92, 0.88, fill=False, edgecolor=YELLOW, linewidth=1.3
                )
            )
    image = axis.imshow(values, cmap=_COLOURS, aspect="auto")
    figure.colorbar(image, ax=axis, label="F1", pad=0.01)
    baselines = sum(loss in BASELINES for loss, _ in columns)
    axis.axvline(baselines - 0.5, color="white", linewidth=3)
    axis.set_xticks(range(len(columns)), [_label(*column) for column in columns], rotation=60, fontsize=7)
    axis.set_yticks(range(len(etas)), [f"{eta:g}" for eta in etas])
    axis.set_ylabel("$\\eta$")


def _columns(cells: pd.DataFrame) -> list[tuple[str, float]]:
    """Return (loss, value) in the order of the figure; the value of a loss that is not swept is 0."""
    order = {loss: position for position, loss in enumerate((*BASELINES, "BL", "PZ"))}
    known = {_key(cell) for _, cell in cells.iterrows()}
    return sorted(known, key=lambda column: (order.get(column[0], len(order)), column))


def _key(cell: Any) -> tuple[str, float]:
    return cell.loss, float(cell.value) if cell.loss in ("BL", "PZ") else 0.0


def _label(loss: str, value: float) -> str:
    return {"BL": f"$\\gamma$ {value:g}", "PZ": f"c {value:g}"}.get(loss, loss)
