"""Robust losses that the papers build on."""

import math

import torch
from torch import Tensor

from noisebench.science.active_negative import normalized_cross_entropy
from noisebench.science.log_probability import full_precision, label_log_probability, log_probabilities

# Ma et al. write log 0 as log 1e-4 where they give their weights for NCE+RCE.
_APL_LOG_ZERO = math.log(1e-4)


def mean_absolute_error(logits: Tensor, targets: Tensor) -> Tensor:
    """MAE [N]: 1 - p, in [0, 1] (Ghosh et al., AAAI 2017), half the L1 distance 2 - 2p that is printed.

    The weights published for NCE+MAE belong to this scale, and it is GCE at q = 1.
    """
    return 1 - label_log_probability(logits, targets).exp()


def symmetric_cross_entropy(
    logits: Tensor, targets: Tensor, alpha: float = 0.1, beta: float = 1.0, A: float = -4.0
) -> Tensor:
    """SCE [N]: alpha CE + beta RCE, RCE = -A (1 - p), A < 0 standing for log 0 (Wang et al., ICCV 2019)."""
    log_p = label_log_probability(logits, targets)
    return -alpha * log_p - beta * A * (1 - log_p.exp())


def partially_huberised(logits: Tensor, targets: Tensor, tau: float = 10.0) -> Tensor:
    """PHuber-CE [N]: -log p if p > 1/tau, else its tangent there, -tau p + log tau + 1.

    tau > 1 (Menon et al., ICLR 2020; tau = 2 for CIFAR-10, 10 for MNIST and CIFAR-100).
    """
    log_p = label_log_probability(logits, targets)
    p = log_p.exp()
    return torch.where(p > 1 / tau, -log_p, math.log(tau) + 1 - tau * p)


def nce_mae(logits: Tensor, targets: Tensor, alpha: float = 1.0, beta: float = 1.0) -> Tensor:
    """NCE+MAE [N]: alpha NCE + beta (1 - p) (Ma et al., ICML 2020; 1 and 1 are its weights for CIFAR-10)."""
    active = normalized_cross_entropy(log_probabilities(logits), targets)
    return alpha * active + beta * mean_absolute_error(logits, targets)


def nce_rce(logits: Tensor, targets: Tensor, alpha: float = 1.0, beta: float = 1.0) -> Tensor:
    """NCE+RCE [N]: alpha NCE + beta RCE, RCE = -log(1e-4) (1 - p) (Ma et al., ICML 2020, as NCE+MAE)."""
    return nce_mae(logits, targets, alpha, -_APL_LOG_ZERO * beta)


def asymmetric_generalized(logits: Tensor, targets: Tensor, a: float = 0.6, q: float = 0.6) -> Tensor:
    """AGCE [N]: ((a + 1)^q - (a + p)^q) / q, a > 0, q > 0 (Zhou et al., ICML 2021; its CIFAR-10 values)."""
    p = label_log_probability(logits, targets).exp()
    return (math.pow(a + 1, q) - (a + p) ** q) / q


def curriculum(logits: Tensor, targets: Tensor, noise_rate: float = 0.0) -> Tensor:
    """Curriculum loss [N]: the hinge loss of the batch's selected samples, 0 for the others.

    The hinge is max(0, 1 - z_y + max_{k != y} z_k), an upper bound of the 0-1 loss. The selection v minimises
    max(sum v_i l_i, C - sum v_i) with C = (1 - noise_rate) N: in ascending order of loss, sample i (from 1)
    is taken while the running sum stays <= C + 1 - i. noise_rate in [0, 1); 0 is CL, above it NPCL
    (Lyu & Tsang, ICLR 2020). The value of a sample depends on the batch it stands in.
    """
    z = full_precision(logits)
    column = targets.unsqueeze(1)
    margin = z.gather(1, column).squeeze(1) - z.scatter(1, column, -math.inf).amax(dim=1)
    losses = (1 - margin).clamp(min=0)
    ascending, order = losses.detach().sort(stable=True)
    rank = torch.arange(1, len(losses) + 1, device=losses.device)
    taken = ascending.cumsum(0) <= (1 - noise_rate) * len(losses) + 1 - rank
    selected = torch.zeros_like(taken).scatter(0, order, taken)
    return torch.where(selected, losses, 0.0)
