"""Loss over the probability of the labelled class: P2 Fig. 1, P1 Fig. 2, 3 and 4."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.plots.style import BLACK, CYCLE, new_figure

FOCAL_GAMMAS = (0.5, 1, 2, 5)  # of Lin et al. 2017, Fig. 1; P1's are not stated
GAMMAS = (0.1, 0.3, 0.5, 0.7, 0.9)
CUTOFFS = (0.05, 0.1, 0.2, 0.4)
P = np.linspace(1e-3, 1, 1_000)
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))

Values = NDArray[np.float64]


def focal(p: Values, gamma: float) -> Values:
    """Return FL(p) = -(1 - p)^gamma log p, for p in (0, 1]."""
    return np.asarray(-((1 - p) ** gamma) * np.log(p))


def blurry(p: Values, gamma: float) -> Values:
    """Return BL(p) = -p^gamma log p as printed (P2 eq. 4), for p in (0, 1]."""
    return np.asarray(-(p**gamma) * np.log(p))


def piecewise_zero(p: Values, c: float) -> Values:
    """Return PZ(p): 0 where p <= c, else -log p (P2 eq. 5), for p in (0, 1]."""
    return np.where(p <= c, 0.0, -np.log(p))


def both() -> Figure:
    """Draw BL and PZ side by side, CE in both."""
    figure, axes = new_figure(1, 2, 2.8)
    _blurry(axes[0, 0])
    _piecewise_zero(axes[0, 1])
    return figure


def focal_alone() -> Figure:
    """Draw FL with CE."""
    figure, axes = new_figure(1, 1, 3.0)
    axis = axes[0, 0]
    _cross_entropy(axis, "Cross Entropy and Focal Loss")
    for gamma, colour, dashes in zip(FOCAL_GAMMAS, CYCLE, _DASHES, strict=False):
        axis.plot(P, focal(P, gamma), color=colour, linestyle=dashes, label=f"FL, $\\gamma$ = {gamma}")
    axis.legend()
    return figure


def blurry_alone() -> Figure:
    """Draw BL with CE."""
    figure, axes = new_figure(1, 1, 3.0)
    _blurry(axes[0, 0])
    return figure


def piecewise_zero_alone() -> Figure:
    """Draw PZ with CE."""
    figure, axes = new_figure(1, 1, 3.0)
    _piecewise_zero(axes[0, 0])
    return figure


def _blurry(axes: Any) -> None:
    _cross_entropy(axes, "Blurry Loss")
    for gamma, colour, dashes in zip(GAMMAS, CYCLE, _DASHES, strict=False):
        axes.plot(P, blurry(P, gamma), color=colour, linestyle=dashes, label=f"$\\gamma$ = {gamma}")
    axes.legend()


def _piecewise_zero(axes: Any) -> None:
    _cross_entropy(axes, "Piecewise-zero Loss")
    for c, colour, dashes in zip(CUTOFFS, CYCLE, _DASHES, strict=False):
        axes.plot(P, piecewise_zero(P, c), color=colour, linestyle=dashes, label=f"c = {c}")
    axes.legend()


def _cross_entropy(axes: Any, title: str) -> None:
    axes.plot(P, -np.log(P), color=BLACK, linewidth=0.8, label="CE")
    axes.set(
        title=title, xlabel="probability p of the labelled class", ylabel="loss", xlim=(0, 1), ylim=(0, 4)
    )
