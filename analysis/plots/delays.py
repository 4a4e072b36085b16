"""F1 over the delay of a loss: P2 Fig. 5, P1 Fig. 6."""

from matplotlib.figure import Figure

from analysis.feeding import Feed
from analysis.plots.cells import usual_cells
from analysis.plots.style import CYCLE, MARKERS, new_figure

DATASET = "CIFAR-100"


def by_cutoff(source: Feed) -> Figure | None:
    """Draw F1 over the delay of PZ on CIFAR-100, a line for each c, a panel for each eta (P2 Fig. 5)."""
    cells = usual_cells(source, "fig5", "f1")
    cells = cells[(cells.dataset == DATASET) & (cells.loss == "PZ")] if len(cells) else cells
    if cells.empty:
        return None
    etas = sorted(cells.eta.unique())
    figure, axes = new_figure(1, len(etas), 2.8, sharex=True)
    for axis, eta in zip(axes[0], etas, strict=True):
        groups = cells[cells.eta == eta].groupby("value")
        for (c, line), colour, marker in zip(groups, CYCLE, MARKERS, strict=False):
            line = line.sort_values("delay")
            axis.errorbar(
                line.delay, line["mean"], line["std"], color=colour, marker=marker, label=f"{c:g}", capsize=2
            )
        axis.set(title=f"$\\eta$ = {eta:g}", xlabel="delay d / epochs")
        axis.set_xticks(sorted(cells.delay.unique()))
    axes[0, 0].set_ylabel(f"F1, {DATASET}")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), title="cutoff c")
    return figure


def preliminary(source: Feed) -> Figure | None:
    """Draw F1 over the delay of BL (gamma .4) and PZ (c .05), MNIST at .2 (P1 Fig. 6)."""
    cells = usual_cells(source, "preliminary", "f1")
    if cells.empty:
        return None
    cells = cells[(cells.dataset == "MNIST") & (cells.eta == 0.2)]
    chosen = {"BL, $\\gamma$ = 0.4": ("BL", 0.4), "PZ, c = 0.05": ("PZ", 0.05)}
    lines = {
        label: cells[(cells.loss == loss) & (cells.value == value)].sort_values("delay")
        for label, (loss, value) in chosen.items()
    }
    if all(line.empty for line in lines.values()):
        return None
    figure, axes = new_figure(1, 1, 2.8)
    axis = axes[0, 0]
    for (label, line), colour, marker in zip(lines.items(), CYCLE, MARKERS, strict=False):
        axis.errorbar(
            line.delay, line["mean"], line["std"], color=colour, marker=marker, label=label, capsize=2
        )
    axis.set(xlabel="delay d / epochs", ylabel="F1, MNIST, $\\eta$ = 0.2")
    axis.legend()
    return figure
