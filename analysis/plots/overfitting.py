"""Where over-fitting starts on clean data: P1, section 4.2."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.feeding import Feed
from analysis.plots.style import BLUE, VERMILION, new_figure
from noisebench.store.blocks import block_epochs

BLOCK = "overfitting"
DATASETS = ("MNIST", "Fashion-MNIST")


def overfitting(source: Feed) -> Figure | None:
    """Draw training and held-out loss over epochs, mean over seeds, on clean MNIST and Fashion-MNIST."""
    sweep = source.sweep(BLOCK)
    rows = pd.DataFrame(block_epochs(source.store, sweep, BLOCK) if sweep else [])
    shown = [name for name in DATASETS if len(rows) and name in set(rows.dataset)]
    if not shown:
        return None
    figure, axes = new_figure(1, len(shown), 2.8)
    for axis, dataset in zip(axes[0], shown, strict=True):
        means = rows[rows.dataset == dataset].groupby("epoch")[["training_loss", "held_out_loss"]].mean()
        axis.plot(means.index + 1, means.training_loss, color=BLUE, label="training")
        axis.plot(means.index + 1, means.held_out_loss, color=VERMILION, linestyle="--", label="test")
        axis.set(title=dataset, xlabel="epoch", yscale="log")
        axis.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes[0, 0].set_ylabel("loss")
    axes[0, 0].legend()
    return figure
