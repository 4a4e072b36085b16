"""Measures of how a training treats wrong labels in contrast to right ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import InputError

# An fp32 softmax may underflow to 0, where the formulas give infinities that no table can hold.
_LOWEST_PROBABILITY = float(np.finfo(np.float32).tiny)


def probability_gradient(
    loss: str, p: NDArray[np.floating], parameters: Mapping[str, Any]
) -> NDArray[np.float64]:
    """dL/dp [N] of CE, FL, GCE, BL or PZ, as printed, at label probabilities p [N] in [0, 1].

    Negative where the loss falls as p rises. BL is differentiated through its factor whatever its `form`, as
    in arXiv 2511.16512, Fig. 2; FL's factor is held constant. p below 1.2e-38 counts as that.
    """
    x: NDArray[np.float64] = np.maximum(p.astype(np.float64), _LOWEST_PROBABILITY)
    match loss:
        case "CE":
            return -1 / x
        case "FL":
            return -np.power(1 - x, float(parameters["gamma"])) / x
        case "GCE":
            return -np.power(x, float(parameters["q"]) - 1)
        case "BL":
            gamma = float(parameters["gamma"])
            return -np.power(x, gamma - 1) * (1 + gamma * np.log(x))
        case "PZ":
            return np.where(x > parameters["c"], -1 / x, 0.0)
        case _:
            raise InputError(f"dynamics: dL/dp is not known for loss {loss}; known: CE, FL, GCE, BL, PZ")


def group_quantiles(
    values: NDArray[np.floating], wrong: NDArray[np.bool_], quantiles: Sequence[float]
) -> dict[str, NDArray[np.float64]]:
    """Quantiles [Q] (levels in [0, 1]) of values [N], for "wrong" and "right"; NaN for an empty group."""
    groups = {"wrong": values[wrong], "right": values[~wrong]}
    return {
        name: np.quantile(group.astype(np.float64), quantiles)
        if group.size
        else np.full(len(quantiles), np.nan)
        for name, group in groups.items()
    }


def cohens_d(right: NDArray[np.floating], wrong: NDArray[np.floating]) -> float:
    """Mean of right minus mean of wrong, in pooled standard deviations; NaN below two values in a group."""
    if min(len(right), len(wrong)) < 2:
        return float("nan")
    freedom = len(right) + len(wrong) - 2
    squares = (len(right) - 1) * np.var(right, ddof=1) + (len(wrong) - 1) * np.var(wrong, ddof=1)
    return float((right.mean() - wrong.mean()) / np.sqrt(squares / freedom))


def wasserstein(right: NDArray[np.floating], wrong: NDArray[np.floating]) -> float:
    """The first Wasserstein distance between the two samples, in their unit; NaN if one is empty."""
    from scipy.stats import wasserstein_distance

    if min(len(right), len(wrong)) == 0:
        return float("nan")
    return float(wasserstein_distance(right, wrong))
