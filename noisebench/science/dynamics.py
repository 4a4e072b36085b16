"""Measures of how a training treats wrong labels in contrast to right ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisebench.catalogue.descriptor import load
from noisebench.catalogue.losses import LOSSES
from noisebench.errors import InputError

# An fp32 softmax can underflow to 0, where the formulas are infinite.
_LOWEST_PROBABILITY = float(np.finfo(np.float32).tiny)


def probability_gradient(
    loss: str, p: NDArray[np.floating], parameters: Mapping[str, Any]
) -> NDArray[np.float64]:
    """dL/dp [N] of a loss, as printed, at label probabilities p [N] in [0, 1].

    Negative where the loss falls as p rises. p below 1.2e-38 is replaced by that value. Raises InputError for
    a loss whose paper prints no dL/dp.
    """
    gradient = LOSSES[loss].gradient if loss in LOSSES else None
    if gradient is None:
        known = ", ".join(name for name, entry in LOSSES.items() if entry.gradient)
        raise InputError(f"dynamics: dL/dp is not known for loss {loss}; known: {known}")
    x: NDArray[np.float64] = np.maximum(p.astype(np.float64), _LOWEST_PROBABILITY)
    slope: NDArray[np.float64] = load(gradient)(x, parameters)
    return slope


def cross_entropy_gradient(p: NDArray[np.float64], parameters: Mapping[str, Any]) -> NDArray[np.float64]:
    """-1 / p."""
    del parameters
    return -1 / p


def focal_gradient(p: NDArray[np.float64], parameters: Mapping[str, Any]) -> NDArray[np.float64]:
    """-(1 - p)^gamma / p: the factor is held constant."""
    return -np.power(1 - p, float(parameters["gamma"])) / p


def generalized_cross_entropy_gradient(
    p: NDArray[np.float64], parameters: Mapping[str, Any]
) -> NDArray[np.float64]:
    """-p^(q - 1)."""
    return -np.power(p, float(parameters["q"]) - 1)


def blurry_gradient(p: NDArray[np.float64], parameters: Mapping[str, Any]) -> NDArray[np.float64]:
    """-p^(gamma - 1) (1 + gamma log p), for every `form`: as in arXiv 2511.16512, Fig. 2."""
    gamma = float(parameters["gamma"])
    return -np.power(p, gamma - 1) * (1 + gamma * np.log(p))


def piecewise_zero_gradient(p: NDArray[np.float64], parameters: Mapping[str, Any]) -> NDArray[np.float64]:
    """-1 / p where p > c, else 0."""
    return np.where(p > parameters["c"], -1 / p, 0.0)


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
