"""Probability and gradient of wrong and right labels by epoch: P2 Fig. 2 and 7."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from analysis.feeding import Feed
from analysis.plots.cells import USUAL
from analysis.plots.labels import loss_label, plain_text
from analysis.plots.style import RIGHT, WRONG, new_figure
from noisebench.store.blocks import TrainedEpoch, block_epochs

LOSSES = ("CE", "BL", "PZ")
_PROBABILITY, _TRAINED, _PRINTED = "probability", "trained", "gradient"
_MEASURES = {
    _PROBABILITY: "probability p",
    _TRAINED: "dL/dp as trained",
    _PRINTED: "dL/dp as printed",
}
_GROUPS = {"wrong": (WRONG, -0.2, "//"), "right": (RIGHT, 0.2, "")}
# Fig. 2 cuts the gradient off here; Fig. 7 shows all of it.
_CUT = (-10.0, 10.0)
# An fp32 softmax may underflow to 0; the records clip lower probabilities to this one, too.
_LOWEST_PROBABILITY = float(np.finfo(np.float32).tiny)

Quantiles = NDArray[np.float64]


def truncated(source: Feed) -> Figure | None:
    """Draw boxes of p and dL/dp over epochs, whiskers at 5 and 95%, the gradient cut off (P2 Fig. 2)."""
    return _draw(source, whiskers=(0.05, 0.95), cut=True)


def untruncated(source: Feed) -> Figure | None:
    """Draw the same with whiskers at the extremes, the gradient whole on a logarithmic scale (P2 Fig. 7)."""
    return _draw(source, whiskers=(0.0, 1.0), cut=False)


def trained_gradient(p: Quantiles, gamma: float) -> Quantiles:
    """Return dL/dp of detached BL at p in [0, 1]: -p^(gamma - 1), as the factor p^gamma is constant.

    It rises with p, so it maps quantiles of p to quantiles of the gradient.
    """
    return np.asarray(-np.power(np.maximum(p, _LOWEST_PROBABILITY), gamma - 1))


def _draw(source: Feed, whiskers: tuple[float, float], cut: bool) -> Figure | None:
    sweep = source.sweep("fig2")
    rows = block_epochs(source.store, sweep, "fig2") if sweep else []
    rows = [row for row in rows if row.quantiles is not None and row.seed == 0 and row.variant == USUAL]
    losses = [loss for loss in LOSSES if any(row.loss == loss for row in rows)]
    if not losses:
        return None
    figure, axes = new_figure(len(_MEASURES), len(losses), 5.6, sharex=True, sharey="row")
    # The scale comes first: limits are chosen in it.
    for axis in axes[1:, 0]:
        if cut:
            axis.set_ylim(*_CUT)
        else:
            axis.set_yscale("symlog", linthresh=1)
            axis.yaxis.get_major_locator().set_params(numticks=7)
    for column, loss in enumerate(losses):
        _column(axes[:, column], [row for row in rows if row.loss == loss], whiskers)
    for axis, label in zip(axes[:, 0], _MEASURES.values(), strict=True):
        axis.set_ylabel(label)
    handles = [
        Patch(facecolor=colour, edgecolor="black", hatch=hatch * 2, alpha=0.75, label=f"{group} labels")
        for group, (colour, _, hatch) in _GROUPS.items()
    ]
    where = f"{plain_text(rows[0].dataset)}, $\\eta$ = {rows[0].eta:g}"
    figure.legend(handles=handles, loc="outside lower center", ncols=2, title=where)
    return figure


def _column(axes: Sequence[Any], rows: list[TrainedEpoch], whiskers: tuple[float, float]) -> None:
    """Draw one loss; where training uses the printed gradient, its last panel says so instead."""
    for axis, measure in zip(axes, _MEASURES, strict=True):
        if measure == _PRINTED and rows[0].loss != "BL":
            note = "as trained"
            axis.text(0.5, 0.5, note, ha="center", va="center", transform=axis.transAxes, color="#555555")
        else:
            _boxes(axis, rows, measure, whiskers)
    axes[0].set_title(loss_label(rows[0]))
    axes[-1].set_xlabel("epoch")


def _boxes(axis: Any, rows: list[TrainedEpoch], measure: str, whiskers: tuple[float, float]) -> None:
    for group, (colour, shift, hatch) in _GROUPS.items():
        epochs = sorted({row.epoch for row in rows})
        boxes = [
            box
            for epoch in epochs
            if (box := _box([row for row in rows if row.epoch == epoch], measure, group, whiskers))
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
    axis.set_xticks(sorted({row.epoch + 1 for row in rows}))


def _box(
    rows: list[TrainedEpoch], measure: str, group: str, whiskers: tuple[float, float]
) -> dict[str, float] | None:
    """Return one box from the quantiles of an epoch, averaged over folds; None where none are recorded."""
    quantiles = [json.loads(row.quantiles) for row in rows if row.quantiles is not None]
    values = [
        folded
        for row, each in zip(rows, quantiles, strict=True)
        if (folded := _values(row, each, measure, group)) is not None
    ]
    if not values:
        return None
    levels: list[float] = quantiles[0]["levels"]
    mean = dict(zip(levels, np.mean(values, axis=0), strict=True))
    low, high = whiskers
    return {
        "epoch": rows[0].epoch,
        "whislo": mean[low],
        "q1": mean[0.25],
        "med": mean[0.5],
        "q3": mean[0.75],
        "whishi": mean[high],
    }


def _values(row: TrainedEpoch, quantiles: dict[str, Any], measure: str, group: str) -> Quantiles | None:
    """Return the quantiles of one fold's epoch; None where they are not recorded."""
    detached = measure == _TRAINED and row.loss == "BL" and row.epoch >= row.delay
    gamma = row.value if detached else None
    key = _PROBABILITY if gamma is not None else _PRINTED if measure == _TRAINED else measure
    values = quantiles.get(key, {}).get(group)
    if values is None or None in values:
        return None
    return np.array(values) if gamma is None else trained_gradient(np.array(values), gamma)
