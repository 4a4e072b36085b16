"""Robust losses that the papers build on."""

import math

import torch
from torch import Tensor

from noisebench.science.active_negative import normalized_cross_entropy
from noisebench.science.log_probability import full_precision, label_log_probability, log_probabilities

# The authors of SCE and of the active passive losses clip the label's zeros to 1e-4 in their code, and take
# the natural logarithm; the -4 that others use for log 0 is the decimal one.
LOG_ZERO = math.log(1e-4)


def mean_absolute_error(logits: Tensor, targets: Tensor) -> Tensor:
    """MAE [N]: 1 - p, in [0, 1] (Ghosh et al., AAAI 2017), half the L1 distance 2 - 2p that is printed.

    The weights published for NCE+MAE belong to this scale, and it is GCE at q = 1.
    """
    return 1 - label_log_probability(logits, targets).exp()


def symmetric_cross_entropy(
    logits: Tensor, targets: Tensor, alpha: float = 0.1, beta: float = 1.0, A: float = LOG_ZERO
) -> Tensor:
    """SCE [N]: alpha CE + beta RCE, RCE = -A (1 - p), A < 0 standing for log 0 (Wang et al., ICCV 2019).

    Weights in the authors' code: 0.1 and 1 for CIFAR-10, 6 and 0.1 for CIFAR-100, 0.01 and 1 for MNIST.
    """
    log_p = label_log_probability(logits, targets)
    return -alpha * log_p - beta * A * (1 - log_p.exp())


def partially_huberised(logits: Tensor, targets: Tensor, tau: float = 10.0) -> Tensor:
    """PHuber-CE [N]: -log p if p > 1/tau, else its tangent there, -tau p + log tau + 1.

    tau > 1 (Menon et al., ICLR 2020; chosen there from 2 and 10).
    """
    log_p = label_log_probability(logits, targets)
    p = log_p.exp()
    return torch.where(p > 1 / tau, -log_p, math.log(tau) + 1 - tau * p)


def nce_mae(logits: Tensor, targets: Tensor, alpha: float = 1.0, beta: float = 1.0) -> Tensor:
    """NCE+MAE [N]: alpha NCE + beta (1 - p) (Ma et al., ICML 2020).

    Weights in the authors' code: 1 and 1 for CIFAR-10, 10 and 1 for CIFAR-100.
    """
    active = normalized_cross_entropy(log_probabilities(logits), targets)
    return alpha * active + beta * mean_absolute_error(logits, targets)


def nce_rce(logits: Tensor, targets: Tensor, alpha: float = 1.0, beta: float = 1.0) -> Tensor:
    """NCE+RCE [N]: alpha NCE + beta RCE, RCE = -log(1e-4) (1 - p) (Ma et al., ICML 2020).

    Weights in the authors' code: 1 and 1 for CIFAR-10, 10 and 0.1 for CIFAR-100, 1 and 10 for MNIST.
    """
    return nce_mae(logits, targets, alpha, -LOG_ZERO * beta)


def asymmetric_generalized(logits: Tensor, targets: Tensor, a: float = 0.6, q: float = 0.6) -> Tensor:
    """AGCE [N]: ((a + 1)^q - (a + p)^q) / q, a > 0, q > 0 (Zhou et al., ICML 2021).

    Values in the authors' code: a = q = 0.6 for CIFAR, a = 4 and q = 0.2 for MNIST.
    """
    p = label_log_probability(logits, targets).exp()
    return (math.pow(a + 1, q) - (a + p) ** q) / q


def negative_learning(logits: Tensor, targets: Tensor) -> Tensor:
    """NL [N]: the mean of -log(1 - p_k) over the classes k other than the label (Kim et al., ICCV 2019).

    The expectation of their eq. 2 over complementary labels, of which their code draws one for an image (110
    on CIFAR-100), uniformly; without a draw, the loss needs no seed. They weigh classes by frequency and
    bound 1 - p by 1e-5; this does neither.
    """
    z = full_precision(logits)
    log_p = log_probabilities(logits)
    top = z.argmax(dim=1, keepdim=True)
    # Of the largest p, 1 - p loses all digits near 1; the others are at most 1/2.
    rest = z.scatter(1, top, -math.inf).logsumexp(1, keepdim=True) - z.logsumexp(1, keepdim=True)
    others = torch.log1p(-log_p.scatter(1, top, -math.inf).exp())
    negative = -others.scatter(1, top, rest)
    return negative.scatter(1, targets.unsqueeze(1), 0.0).sum(1) / (z.shape[1] - 1)


def curriculum(logits: Tensor, targets: Tensor, epsilon: float = 0.0) -> Tensor:
    """Curriculum loss [N]: the soft hinge loss of the batch's selected samples, 0 for the others.

    With the margin u = z_y - max_{k != y} z_k, the hard hinge is max(0, 1 - u); the soft one is the same
    where u >= 0, and 1 - z_y + log sum_k exp z_k elsewhere. In ascending order of the hard hinge, sample i
    (from 1) is selected while the running sum stays <= C + 1 - i: the v that minimises max(sum v_i l_i,
    C - sum v_i), C = (1 - epsilon)^2 N + (1 - epsilon) #(u < 0). epsilon in [0, 1) is the expected noise
    rate: 0 is CL, above it NPCL (Lyu & Tsang, ICLR 2020, Algorithm 1 and the batch form of NPCL; the two
    hinges as in their code). The value of a sample depends on the batch it stands in.
    """
    z = full_precision(logits)
    column = targets.unsqueeze(1)
    label = z.gather(1, column).squeeze(1)
    margin = label - z.scatter(1, column, -math.inf).amax(dim=1)
    hard = (1 - margin).clamp(min=0)
    soft = torch.where(margin >= 0, hard, 1 - label + z.logsumexp(dim=1))
    kept = 1 - epsilon
    ceiling = kept * (kept * len(hard) + (margin < 0).sum())
    ascending, order = hard.detach().sort(stable=True)
    rank = torch.arange(1, len(hard) + 1, device=hard.device)
    taken = ascending.cumsum(0) <= ceiling + 1 - rank
    selected = torch.zeros_like(taken).scatter(0, order, taken)
    return torch.where(selected, soft, 0.0)
