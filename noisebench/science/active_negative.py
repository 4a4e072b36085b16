"""Active Negative Loss (Ye et al., NeurIPS 2023), without its L1 term over the model's parameters.

`m` = 1e-7 is the paper's lowest probability, A = -log m the largest cross entropy that it admits.
"""

import math

from torch import Tensor

from noisebench.science.log_probability import log_probabilities

_LOG_M = math.log(1e-7)


def _share(values: Tensor, targets: Tensor) -> Tensor:
    """The label's part [N] of the row sums of values [N, K]."""
    return values.gather(1, targets.unsqueeze(1)).squeeze(1) / values.sum(dim=1)


def _focal(log_p: Tensor, gamma: float) -> Tensor:
    """-(1 - sg(p))^gamma log p, elementwise; expm1 keeps 1 - p exact near p = 1."""
    return -(-log_p.detach().expm1()).pow(gamma) * log_p


def normalized_cross_entropy(log_p: Tensor, targets: Tensor) -> Tensor:
    """NCE [N] = log p_y / sum_k log p_k, in [0, 1], from log-probabilities [N, K] (Ma et al., ICML 2020)."""
    return _share(log_p, targets)


def anl_cross_entropy(logits: Tensor, targets: Tensor, alpha: float, beta: float) -> Tensor:
    """ANL-CE [N]: alpha NCE + beta NNCE.

    NNCE = 1 - (A + log q_y) / sum_k (A + log q_k) with q = max(p, m): no gradient flows where p < m.
    """
    log_p = log_probabilities(logits)
    negative = 1 - _share(log_p.clamp(min=_LOG_M) - _LOG_M, targets)
    return alpha * normalized_cross_entropy(log_p, targets) + beta * negative


def anl_focal(logits: Tensor, targets: Tensor, alpha: float, beta: float, gamma: float = 0.5) -> Tensor:
    """ANL-FL [N]: alpha NFL + beta NNFL, the focal factor held constant in the gradient.

    NFL = f_y / sum_k f_k; NNFL = 1 - (A_f - f_y) / sum_k (A_f - f_k) with p >= m and A_f the focal loss at m.
    """
    log_p = log_probabilities(logits)
    ceiling = -((1 - math.exp(_LOG_M)) ** gamma) * _LOG_M
    negative = 1 - _share(ceiling - _focal(log_p.clamp(min=_LOG_M), gamma), targets)
    return alpha * _share(_focal(log_p, gamma), targets) + beta * negative
