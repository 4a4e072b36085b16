"""Distributions of the AUM of wrong and right labels: P2 Fig. 6."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure

from analysis.feeding import Feed
from analysis.plots.cells import USUAL
from analysis.plots.labels import loss_label
from analysis.plots.style import RIGHT, WRONG, new_figure
from noisebench.records.durable import open_inside
from noisebench.records.folders import ResultsFolder
from noisebench.store.blocks import BlockTrial, block_trials

LOSSES = ("CE", "BL", "PZ")
ETA = 0.1
BINS = 60


def histograms(source: Feed) -> Figure | None:
    """Draw the AUMs of wrong and right labels on CIFAR-100 at .1, seed 0, a panel for each loss.

    Dashed lines are the means; each group's area is 1. Reads the per-sample scores of the results folder.
    """
    sweep = source.sweep("table5")
    trials = block_trials(source.store, sweep, "table5") if sweep else []
    chosen = {
        trial.loss: (trial, margins)
        for trial in trials
        if trial.loss in LOSSES and trial.variant == USUAL and trial.eta == ETA and trial.seed == 0
        if (margins := _margins(source.results, trial.trial_id)) is not None
    }
    losses = [loss for loss in LOSSES if loss in chosen]
    if not losses:
        return None
    figure, axes = new_figure(1, len(losses), 2.7, sharey=True, sharex=True)
    for axis, loss in zip(axes[0], losses, strict=True):
        _panel(axis, *chosen[loss])
    axes[0, 0].set_ylabel("density")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _margins(results: ResultsFolder, trial_id: str) -> pd.DataFrame | None:
    """Return the AUM and the labels of a trial's samples, None where it has no such scores.

    Others may have written the file: it is not followed out of the folder, and can hold anything.
    """
    path = results.scores(trial_id).relative_to(results.root)
    try:
        with open_inside(results.root, path.as_posix()) as file:
            scores = pd.read_parquet(file, columns=["aum", "given_label", "true_label"])
        scores = scores.astype({"aum": float})
    except (OSError, ValueError, TypeError, LookupError, pa.ArrowException):
        return None
    scores = scores[np.isfinite(scores.aum)]
    return None if scores.empty else scores


def _panel(axis: Any, trial: BlockTrial, scores: pd.DataFrame) -> None:
    wrong = scores.given_label != scores.true_label
    edges = np.linspace(scores.aum.min(), scores.aum.max(), BINS + 1)
    for label, mask, colour, hatch in (
        ("wrong labels", wrong, WRONG, "////"),
        ("right labels", ~wrong, RIGHT, ""),
    ):
        values = scores.aum[mask]
        axis.hist(
            values,
            edges,
            density=True,
            color=colour,
            alpha=0.6,
            hatch=hatch,
            label=label,
            histtype="stepfilled",
            edgecolor="black",
            linewidth=0.5,
        )
        axis.axvline(values.mean(), color=colour, linestyle="--")
    numbers = f"d = {_number(trial.cohens_d)}, W = {_number(trial.wasserstein)}"
    axis.set(title=f"{loss_label(trial)}\n{numbers}", xlabel="AUM")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
