"""Log-probabilities that the losses are computed from."""

import torch
from torch import Tensor


def full_precision(logits: Tensor) -> Tensor:
    """Half-precision logits as fp32; fp32 and fp64 as they are: p^q and log terms need 24 bits or more."""
    return logits if logits.dtype == torch.float64 else logits.float()


def log_probabilities(logits: Tensor) -> Tensor:
    """Log-softmax of logits [N, K], in fp32 or fp64, every value <= 0."""
    return torch.log_softmax(full_precision(logits), dim=1)


def label_log_probability(logits: Tensor, targets: Tensor) -> Tensor:
    """log p of the given label [N], from logits [N, K] with targets [N] in 0..K-1."""
    return log_probabilities(logits).gather(1, targets.unsqueeze(1)).squeeze(1)
