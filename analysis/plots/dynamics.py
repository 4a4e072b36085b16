"""What training does to wrong and right labels, epoch by epoch: P2 Fig. 2 and 7."""

import json
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from analysis.feeding import Feed
from analysis.plots.cells import USUAL
from analysis.plots.labels import loss_label
from analysis.plots.style import RIGHT, WRONG, new_figure
from noisebench.store.blocks import block_epochs

LOSSES = ("CE", "BL", "PZ")
_MEASURES = {"probability": "probability p", "gradient": "dL/dp"}
_GROUPS = {"wrong": (WRONG, -0.2, "//"), "right": (RIGHT, 0.2, "")}
# Where Fig. 2 cuts the gradient off; Fig. 7 shows all of it.
_CUT = (-10.0, 10.0)

Quantiles = NDArray[np.float64]


def truncated(source: Feed) -> Figure | None:
    """Draw boxes of p and dL/dp over epochs, whiskers at 5 and 95%, the gradient cut off (P2 Fig. 2)."""
    return _draw(source, whiskers=(0.05, 0.95), cut=True)


def untruncated(source: Feed) -> Figure | None:
    """Draw the same with whiskers at the extremes, the gradient whole on a logarithmic scale (P2 Fig. 7)."""
    return _draw(source, whiskers=(0.0, 1.0), cut=False)


def _draw(source: Feed, whiskers: tuple[float, float], cut: bool) -> Figure | None:
    sweep = source.sweep("fig2")
    rows = block_epochs(source.results.sweep(sweep), "fig2") if sweep else []
    rows = [
        row for row in rows if row["quantiles"] is not None and row["seed"] == 0 and row["variant"] == USUAL
    ]
    losses = [loss for loss in LOSSES if any(row["loss"] == loss for row in rows)]
    if not losses:
        return None
    figure, axes = new_figure(2, len(losses), 4.2, sharex=True, sharey="row")
    for column, loss in enumerate(losses):
        own = [row for row in rows if row["loss"] == loss]
        for axis, measure in zip(axes[:, column], _MEASURES, strict=True):
            _boxes(axis, own, measure, whiskers)
        axes[0, column].set_title(loss_label(own[0]))
        axes[1, column].set_xlabel("epoch")
    axes[0, 0].set_ylabel(_MEASURES["probability"])
    axes[1, 0].set_ylabel(_MEASURES["gradient"] + ("" if cut else " (symmetric log)"))
    if cut:
        axes[1, 0].set_ylim(*_CUT)
    else:
        axes[1, 0].set_yscale("symlog", linthresh=1)
    handles = [
        Patch(facecolor=colour, edgecolor="black", hatch=hatch * 2, alpha=0.75, label=f"{group} labels")
        for group, (colour, _, hatch) in _GROUPS.items()
    ]
    where = f"{own[0]['dataset']}, $\\eta$ = {own[0]['eta']:g}"
    figure.legend(handles=handles, loc="outside lower center", ncols=2, title=where)
    return figure


def _boxes(axis: Any, rows: list[dict[str, Any]], measure: str, whiskers: tuple[float, float]) -> None:
    for group, (colour, shift, hatch) in _GROUPS.items():
        epochs = sorted({row["epoch"] for row in rows})
        boxes = [
            box
            for epoch in epochs
            if (box := _box([row for row in rows if row["epoch"] == epoch], measure, group, whiskers))
        ]
        axis.bxp(
            boxes,
            positions=[box["epoch"] + 1 + shift for box in boxes],
            widths=0.34,
            showfliers=False,
            patch_artist=True,
            manage_ticks=False,
            medianprops={"color": "black", "linewidth": 1},
            boxprops={"facecolor": colour, "linewidth": 0.4, "alpha": 0.75, "hatch": hatch * 2},
            whiskerprops={"color": colour, "linewidth": 0.8},
            capprops={"color": colour, "linewidth": 0.8},
        )
    axis.set_xticks(sorted({row["epoch"] + 1 for row in rows}))


def _box(
    rows: list[dict[str, Any]], measure: str, group: str, whiskers: tuple[float, float]
) -> dict[str, float] | None:
    """Return one box from the quantiles of an epoch, averaged over folds; None where none are recorded."""
    found = [json.loads(row["quantiles"]) for row in rows]
    values = [quantiles[measure][group] for quantiles in found if measure in quantiles]
    values = [each for each in values if None not in each]
    if not values:
        return None
    levels: list[float] = found[0]["levels"]
    mean = dict(zip(levels, np.mean(values, axis=0), strict=True))
    low, high = whiskers
    return {
        "epoch": rows[0]["epoch"],
        "whislo": mean[low],
        "q1": mean[0.25],
        "med": mean[0.5],
        "q3": mean[0.75],
        "whishi": mean[high],
    }
