"""Rankings by the loss of the last epoch and by traces of all epochs, as wrong labels are memorised."""

import pandas as pd
from matplotlib.figure import Figure

from analysis.feeding import Feed
from analysis.plots.style import CYCLE, MARKERS, new_figure
from noisebench.store.blocks import block_trials

BLOCK = "memorisation"


def memorisation(source: Feed) -> Figure | None:
    """Draw AUROC over the length of the training, mean and range over seeds, for each detector."""
    sweep = source.sweep(BLOCK)
    trials = pd.DataFrame(block_trials(source.store, sweep, BLOCK) if sweep else [])
    if not len(trials) or trials.auroc.isna().all():
        return None
    figure, axes = new_figure(1, 1, 2.8)
    axis = axes[0, 0]
    for position, (detector, rows) in enumerate(trials.groupby("detector", sort=False)):
        by_length = rows.groupby("epochs").auroc.agg(["mean", "min", "max"])
        color = CYCLE[position % len(CYCLE)]
        axis.plot(by_length.index, by_length["mean"], color=color, marker=MARKERS[position], label=detector)
        axis.fill_between(by_length.index, by_length["min"], by_length["max"], color=color, alpha=0.15)
    axis.set(xlabel="epochs of training", ylabel="AUROC of wrong labels")
    axis.legend()
    return figure
