"""Scores over the parameter of a loss: P2 Fig. 3, P1 Fig. 5."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.feeding import Feed
from analysis.plots.cells import usual_cells
from analysis.plots.style import BLUE, GREEN, ORANGE, SKY, VERMILION, new_figure

SYMBOLS = {"BL": "$\\gamma$", "PZ": "c"}
_METRICS = {"precision": (BLUE, "s"), "recall": (ORANGE, "^"), "f1": (VERMILION, "o")}
_NAMES = {"precision": "precision", "recall": "recall", "f1": "F1"}
PRELIMINARY_DELAY = 4
BASELINES = ("CE", "FL")


def against_focal(source: Feed) -> Figure | None:
    """Draw precision, recall, F1 over gamma and c on CIFAR-100 at .1, FL as dotted lines (P2 Fig. 3)."""
    cells = usual_cells(source, "table1", *_METRICS)
    cells = cells[(cells.dataset == "CIFAR-100") & (cells.eta == 0.1)] if len(cells) else cells
    if cells.empty or not {"BL", "PZ"} <= set(cells.loss):
        return None
    figure, axes = new_figure(1, 2, 3.0, sharey=True)
    for axis, loss in zip(axes[0], ("BL", "PZ"), strict=True):
        _lines(axis, cells, loss)
        axis.set(title=f"FL (dotted) against {loss}", xlabel=f"{loss} {SYMBOLS[loss]}")
    axes[0, 0].set_ylabel("CIFAR-100, $\\eta$ = 0.1")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def detections(source: Feed) -> Figure | None:
    """Draw flagged and correctly flagged labels as bars with P, R, F1, MNIST at .2 (P1 Fig. 5).

    BL and PZ take over after a delay of 4 epochs; CE and FL stand before the values of gamma and c.
    """
    cells = usual_cells(source, "preliminary", *_METRICS, "flagged", "correct", "wrong_labels")
    cells = cells[(cells.dataset == "MNIST") & (cells.eta == 0.2)] if len(cells) else cells
    if cells.empty:
        return None
    delayed = cells[cells.delay == PRELIMINARY_DELAY]
    panels = {loss: delayed[delayed.loss == loss] for loss in ("BL", "PZ")}
    if any(part.empty for part in panels.values()):
        return None
    baselines = cells[cells.loss.isin(BASELINES) & (cells.delay == 0)]
    figure, axes = new_figure(2, 2, 3.8, sharey="row", sharex="col", height_ratios=(2, 3))
    for column, (loss, part) in enumerate(panels.items()):
        _bars(axes[0, column], axes[1, column], baselines, part)
        axes[0, column].set_title(f"CE, FL, and {loss} with d = {PRELIMINARY_DELAY}")
        axes[1, column].set_xlabel(f"baselines, then {loss} {SYMBOLS[loss]}")
    axes[0, 0].set_ylabel("score")
    axes[1, 0].set_ylabel("labels, MNIST, $\\eta$ = 0.2")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    bar_handles, bar_labels = axes[1, 0].get_legend_handles_labels()
    figure.legend(handles + bar_handles, labels + bar_labels, loc="outside lower center", ncols=6)
    return figure


def _lines(axis: Any, cells: pd.DataFrame, loss: str) -> None:
    for metric, (colour, marker) in _METRICS.items():
        line = cells[(cells.loss == loss) & (cells.metric == metric)].sort_values("value")
        deviation = line["std"].fillna(0)
        axis.plot(line.value, line["mean"], color=colour, marker=marker, label=_NAMES[metric])
        axis.fill_between(
            line.value,
            line["mean"] - deviation,
            line["mean"] + deviation,
            color=colour,
            alpha=0.2,
            linewidth=0,
        )
        for mean in cells[(cells.loss == "FL") & (cells.metric == metric)]["mean"]:
            axis.axhline(mean, color=colour, linestyle=":", linewidth=1.2)
    if loss == "PZ":
        axis.set_xscale("log")
    _value_ticks(axis, sorted(cells[cells.loss == loss].value.unique()))


def _value_ticks(axis: Any, values: list[float]) -> None:
    axis.set_xticks(values, [f"{value:g}" for value in values], rotation=60 if len(values) > 9 else 0)
    axis.minorticks_off()


def _bars(scores: Any, counts: Any, baselines: pd.DataFrame, swept: pd.DataFrame) -> None:
    names = [loss for loss in BASELINES if loss in set(baselines.loss)]
    fixed = baselines.pivot_table(index="loss", columns="metric", values="mean").reindex(names)
    by_value = swept.pivot_table(index="value", columns="metric", values="mean")
    wide = pd.concat([fixed, by_value])
    positions = np.arange(len(wide))
    for metric, (colour, marker) in _METRICS.items():
        scores.plot(positions[: len(names)], fixed[metric], color=colour, marker=marker, linestyle="none")
        scores.plot(
            positions[len(names) :], by_value[metric], color=colour, marker=marker, label=_NAMES[metric]
        )
    edge = {"edgecolor": "black", "linewidth": 0.4}
    counts.bar(positions - 0.2, wide.flagged, 0.4, color=SKY, label="flagged", **edge)
    counts.bar(positions + 0.2, wide.correct, 0.4, color=GREEN, hatch="//", label="correctly flagged", **edge)
    counts.axhline(
        wide.wrong_labels.mean(), color="black", linestyle="--", linewidth=0.8, label="wrong labels"
    )
    for axis in (scores, counts):
        axis.axvline(len(names) - 0.5, color="#888888", linewidth=0.8)
    counts.set_xticks(positions, [*names, *(f"{value:g}" for value in by_value.index)])
