"""Per-sample losses by the name that a sweep gives them.

Each is `(logits [N, K], targets [N] long, **parameters) -> loss [N]`; p is the softmax probability of the
given label. The caller reduces. Value and gradient are finite for logits up to +-1e4. fp64 logits give fp64
losses, all others fp32. `gamma` of FL and BL, `q` of GCE, `c` of PZ may be tensors that broadcast to [N].
"""

import math

import torch
from torch import Tensor

from noisebench.errors import InputError
from noisebench.science.log_probability import label_log_probability

_LOG_LOWEST_FACTOR = math.log(1e-8)


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """CE [N]: -log p."""
    return -label_log_probability(logits, targets)


def focal(logits: Tensor, targets: Tensor, gamma: float | Tensor = 2.0, detach: bool = True) -> Tensor:
    """FL [N]: -(1 - p)^gamma log p, gamma >= 0 (Lin et al., ICCV 2017).

    `detach` holds the factor constant in the gradient, as the authors' code does and no paper prints.
    """
    log_p = label_log_probability(logits, targets)
    # At p = 1 the slope of x^gamma, gamma < 1, is infinite and would meet log p = 0: inf * 0 is NaN.
    factor = (-log_p.expm1()).clamp(min=torch.finfo(log_p.dtype).tiny).pow(gamma)
    return -(factor.detach() if detach else factor) * log_p


def generalized_cross_entropy(logits: Tensor, targets: Tensor, q: float | Tensor = 0.7) -> Tensor:
    """GCE [N]: (1 - p^q) / q, 0 < q <= 1, without truncation (Zhang & Sabuncu, NeurIPS 2018)."""
    # Not expm1, whose backward pass takes p^q from the rounded result and loses it where p^q is small.
    return (1 - (q * label_log_probability(logits, targets)).exp()) / q


def blurry(logits: Tensor, targets: Tensor, gamma: float | Tensor, form: str = "detached") -> Tensor:
    """BL [N]: -p^gamma log p, gamma >= 0 (arXiv 2511.16512).

    `form` says how the gradient treats the factor p^gamma: "detached" holds it constant, which gives dL/dp =
    -p^(gamma-1), as in the published runs; "printed" differentiates it; "clamped" too, with p >= 1e-8 in it.
    """
    log_p = label_log_probability(logits, targets)
    match form:
        case "detached":
            factor = (gamma * log_p.detach()).exp()
        case "printed":
            factor = (gamma * log_p).exp()
        case "clamped":
            factor = (gamma * log_p.clamp(min=_LOG_LOWEST_FACTOR)).exp()
        case _:
            raise InputError(f"loss BL: form {form!r} is unknown; known: detached, printed, clamped")
    return -factor * log_p


def piecewise_zero(logits: Tensor, targets: Tensor, c: float | Tensor) -> Tensor:
    """PZ [N]: 0, gradient included, if p <= c, else -log p, 0 <= c < 1 (arXiv 2511.16512)."""
    log_p = label_log_probability(logits, targets)
    return torch.where(log_p.exp() > c, -log_p, 0.0)
