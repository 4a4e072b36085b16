"""Average ranks of the losses with their critical difference."""

import numpy as np
from matplotlib.figure import Figure

from analysis.grid import Table
from analysis.plots.labels import plain_text
from analysis.plots.style import BLUE, new_figure
from analysis.significance import AverageRanks, average_ranks


def ranks_of(table: Table) -> AverageRanks | None:
    """Rank the losses over the rows where all have a mean; None where there are too few of either."""
    columns = [name for name in table.columns if any(name in row.cells for row in table.rows)]
    rows = [[row.cells[name].mean if name in row.cells else None for name in columns] for row in table.rows]
    whole = [row for row in rows if None not in row]
    if len(columns) < 3 or len(whole) < 2:
        return None
    return average_ranks(columns, np.array(whole, dtype=float))


def critical_difference(table: Table) -> Figure | None:
    """Draw each loss at its average rank; bars join those less than a critical difference apart."""
    ranks = ranks_of(table)
    if ranks is None:
        return None
    order = np.argsort(ranks.ranks)
    figure, axes = new_figure(1, 1, 0.9 + 0.3 * len(order))
    axis = axes[0, 0]
    for position, index in enumerate(order):
        axis.plot(ranks.ranks[index], position, "o", color=BLUE)
        axis.annotate(
            f"{plain_text(ranks.methods[index])}  {ranks.ranks[index]:.2f}",
            (ranks.ranks[index], position),
            xytext=(-6, 0),
            textcoords="offset points",
            ha="right",
            va="center",
        )
        reach = order[ranks.ranks[order] <= ranks.ranks[index] + ranks.critical_difference]
        axis.plot(
            [ranks.ranks[index], ranks.ranks[reach].max()],
            [position, position],
            color="#888888",
            linewidth=3,
            zorder=0,
        )
    axis.invert_yaxis()
    axis.set(
        xlabel=f"average rank over {ranks.rows} rows (1 is best); grey: within the critical difference "
        f"{ranks.critical_difference:.2f}",
        xlim=(0, len(order) + 0.5),
        title=f"{table.title}; Friedman p = {ranks.friedman_p:.1g}",
    )
    axis.set_yticks([])
    return figure
