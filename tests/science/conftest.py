"""What the tests of the science share: digits with planted errors, a short training."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from noisebench.science.losses import cross_entropy


@dataclass(frozen=True)
class PlantedDigits:
    """scikit-learn's 1,797 digits: images float32 [N, 64] in [0, 1], labels int64 [N], 5% of them swapped."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    wrong: NDArray[np.bool_]
    classes: int = 10


@pytest.fixture(scope="session")
def planted_digits() -> PlantedDigits:
    images, labels = load_digits(return_X_y=True)
    wrong = np.zeros(len(labels), dtype=np.bool_)
    wrong[::20] = True
    given = np.where(wrong, (labels + 3) % 10, labels).astype(np.int64)
    return PlantedDigits((images / 16).astype(np.float32), given, wrong)


@pytest.fixture(scope="session")
def out_of_fold(planted_digits: PlantedDigits) -> NDArray[np.float64]:
    """Probabilities [N, 10] of the planted digits, each from a regression on the other four folds."""
    model = LogisticRegression(C=0.1, max_iter=300)
    found = cross_val_predict(
        model, planted_digits.images, planted_digits.labels, cv=5, method="predict_proba"
    )
    return np.asarray(found, dtype=np.float64)


class Observer(Protocol):
    """Sees every batch of a training: logits [B, K], targets [B], sample indices [B], epoch from 0."""

    def __call__(
        self, logits: torch.Tensor, targets: torch.Tensor, indices: torch.Tensor, epoch: int
    ) -> None: ...


class Trainer(Protocol):
    """Trains on images [N, D] with labels [N] and shows every batch to the observer."""

    def __call__(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        classes: int,
        epochs: int,
        observe: Observer,
    ) -> None: ...


@pytest.fixture(scope="session")
def train() -> Trainer:
    """A two-layer network, Adam, batches of 64; the last batch of an epoch of 64 n + 1 samples holds one."""

    def run(
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        classes: int,
        epochs: int,
        observe: Observer,
    ) -> None:
        torch.manual_seed(0)
        x, y = torch.from_numpy(images), torch.from_numpy(labels)
        model = torch.nn.Sequential(
            torch.nn.Linear(x.shape[1], 64), torch.nn.ReLU(), torch.nn.Linear(64, classes)
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for epoch in range(epochs):
            for indices in torch.randperm(len(x)).split(64):
                logits = model(x[indices])
                observe(logits, y[indices], indices, epoch)
                optimizer.zero_grad()
                cross_entropy(logits, y[indices]).mean().backward()
                optimizer.step()

    return run


@pytest.fixture(scope="session")
def digit_losses(planted_digits: PlantedDigits, train: Trainer) -> NDArray[np.float64]:
    """Losses [N, 20] of the planted digits over a training of 20 epochs."""
    losses = np.full((len(planted_digits.labels), 20), np.nan)

    def record(logits: torch.Tensor, targets: torch.Tensor, indices: torch.Tensor, epoch: int) -> None:
        losses[indices.numpy(), epoch] = cross_entropy(logits.detach(), targets).numpy()

    train(planted_digits.images, planted_digits.labels, planted_digits.classes, 20, record)
    return losses
