"""HOC: the transition matrix of label noise from the agreement of neighbours (Zhu et al., ICML 2021).

If a sample and its two nearest neighbours share their true class, their given labels are three draws from one
row of the matrix. The frequencies of one, two and three labels then determine matrix and prior.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from noisebench.errors import InputError


@dataclass(frozen=True)
class Agreement:
    """Frequencies of the labels of a sample [K], with its first [K, K] and its second neighbour [K, K, K]."""

    one: NDArray[np.float64]
    two: NDArray[np.float64]
    three: NDArray[np.float64]


def agreement(labels: NDArray[np.integer], neighbour_labels: NDArray[np.integer], classes: int) -> Agreement:
    """Count given labels [N] with those of their two nearest neighbours [N, 2], in 0 to K - 1."""
    if neighbour_labels.shape != (len(labels), 2) or len(labels) == 0:
        raise InputError(
            f"transition: neighbour labels {list(neighbour_labels.shape)} must be [N, 2] with the N of the "
            f"labels {list(labels.shape)}, N of 1 or more"
        )
    cells = np.ravel_multi_index((labels, neighbour_labels[:, 0], neighbour_labels[:, 1]), (classes,) * 3)
    three = np.bincount(cells, minlength=classes**3).reshape((classes,) * 3) / len(labels)
    return Agreement(three.sum(axis=(1, 2)), three.sum(axis=2), three)


def expected(matrix: Tensor, prior: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The frequencies of one, two and three labels under a matrix [K, K] (true, given) and a prior [K]."""
    classes = len(prior)
    weighted = (matrix * prior[:, None]).T
    pairs = (matrix[:, :, None] * matrix[:, None, :]).reshape(classes, -1)
    return weighted.sum(1), weighted @ matrix, (weighted @ pairs).reshape((classes,) * 3)


def estimate(
    observed: Agreement, steps: int = 400, rate: float = 0.1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the matrix [K, K], row = true class, and the prior [K] that fit the frequencies best.

    Minimises the sum of the three Frobenius norms of the differences by Adam over logits of both, from a
    matrix near the identity, as in the authors' code (400 steps, rate 0.1) but from a uniform prior.
    """
    targets = [torch.from_numpy(part) for part in (observed.one, observed.two, observed.three)]
    classes = len(observed.one)
    rows = (5 * torch.eye(classes, dtype=torch.float64) - 1).requires_grad_()
    shares = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([rows, shares], lr=rate)
    for _ in range(steps):
        parts = expected(rows.softmax(1), shares.softmax(0))
        distance = torch.stack([(part - target).norm() for part, target in zip(parts, targets, strict=True)])
        optimizer.zero_grad()
        distance.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return rows.detach().softmax(1).numpy(), shares.detach().softmax(0).numpy()
