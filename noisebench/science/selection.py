"""Lower bounds of a sample's loss, by which networks that train each other choose samples.

Tensors in, tensors out. `losses` [..., t] are the last t losses of a sample, `selected` [...] is the number
of times that it was selected, counted from 1. A low bound means that the label is probably right. A sample
that was seldom selected has a lower bound, so that it is selected again.
"""

import math

import torch
from torch import Tensor

# With fewer losses no outlier is removed.
MIN_LOSSES_WITH_OUTLIERS = 5
_NEIGHBOURS = 2


def forget_share(epoch: int, rate: float, gradual: int) -> float:
    """The share of a batch that is left out in `epoch`, counted from 0.

    It grows linearly from 0 to `rate` over the first `gradual` epochs (Han et al., Co-teaching, NeurIPS 2018:
    R(T) = 1 - min(T / T_k, 1) tau; as in their code, epoch T_k - 1 reaches it).
    """
    return rate * min(1.0, epoch / max(1, gradual - 1))


def smallest(values: Tensor, share: float) -> Tensor:
    """Return the floor((1 - share) B) smallest values of each row [M, B], at least one, bool [M, B].

    Of equal values those that come first.
    """
    kept = max(1, int((1 - share) * values.shape[1]))
    chosen = torch.zeros_like(values, dtype=torch.bool)
    return chosen.scatter(1, values.argsort(dim=1, stable=True)[:, :kept], True)


def last_loss(losses: Tensor, selected: Tensor) -> Tensor:
    """The last loss itself: small-loss selection (Han et al., NeurIPS 2018)."""
    del selected
    return losses[..., -1]


def soft_bound(losses: Tensor, selected: Tensor, variance: float) -> Tensor:
    """CNLCU-S: mean psi - s (t + s ln(2t) / t^2) / (n - s), psi = ln(1 + l + l^2 / 2), variance s below 1.

    Soft truncation of losses (Xia et al., ICLR 2022, Theorem 1). The released code gives all samples of a
    batch the bonus of the first one; this does not.
    """
    t = losses.shape[-1]
    psi = torch.log1p(losses + losses.square() / 2).mean(-1)
    return psi - variance * (t + variance * math.log(2 * t) / t**2) / (selected - variance)


def hard_bound(losses: Tensor, selected: Tensor, scale: float, bound: float) -> Tensor:
    """CNLCU-H: mean of the inliers - 2 sqrt(2 tau) L (t + sqrt2 t_o) sqrt(ln(4t) / n) / ((t - t_o) sqrt t).

    tau is `scale`, L `bound`, t_o the number of outliers (Xia et al., ICLR 2022, Theorem 2): one of 5 or more
    losses, that with the largest local outlier factor. The released code removes the inliers instead.
    """
    t = losses.shape[-1]
    removed = 1 if t >= MIN_LOSSES_WITH_OUTLIERS else 0
    mean = losses.mean(-1)
    if removed:
        worst = outlier_factors(losses).argmax(-1, keepdim=True)
        mean = (losses.sum(-1) - losses.gather(-1, worst).squeeze(-1)) / (t - 1)
    width = 2 * math.sqrt(2 * scale) * bound * (t + math.sqrt(2) * removed)
    return mean - width * (math.log(4 * t) / selected).sqrt() / ((t - removed) * math.sqrt(t))


def outlier_factors(losses: Tensor) -> Tensor:
    """Return the local outlier factor of each of a sample's losses, [..., t], t of 3 or more.

    By 2 neighbours (Breunig et al., SIGMOD 2000), as CNLCU-H has them; equal losses have a factor near 1.
    """
    distances = (losses.unsqueeze(-1) - losses.unsqueeze(-2)).abs()
    diagonal = torch.eye(losses.shape[-1], dtype=torch.bool, device=losses.device)
    near, neighbours = distances.masked_fill(diagonal, torch.inf).topk(_NEIGHBOURS, -1, largest=False)
    reach = near[..., -1]
    reached = torch.maximum(near, _of_neighbours(reach, neighbours))
    density = 1 / (reached.mean(-1) + 1e-10)
    return _of_neighbours(density, neighbours).mean(-1) / density


def _of_neighbours(values: Tensor, neighbours: Tensor) -> Tensor:
    """Return the values [..., t] of each loss's neighbours [..., t, k]."""
    return values.unsqueeze(-2).expand(*neighbours.shape[:-1], values.shape[-1]).gather(-1, neighbours)
