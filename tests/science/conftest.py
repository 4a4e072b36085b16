"""What the tests of the science share: digits with planted errors, a short training."""

from dataclasses import dataclass
from typing import Any, Protocol

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
def digit_traces(planted_digits: PlantedDigits, train: Trainer) -> dict[str, NDArray[Any]]:
    """Traces [N, 20] of the planted digits in passing, over a training of 20 epochs.

    The squared norms are those of the images: the observer of a training sees no features.
    """
    shape = (len(planted_digits.labels), 20)
    found: dict[str, NDArray[Any]] = {
        name: np.full(shape, np.nan) for name in ("losses", "margins", "squared_errors")
    }
    found["predicted"] = np.full(shape, -1, dtype=np.int64)

    def record(logits: torch.Tensor, targets: torch.Tensor, indices: torch.Tensor, epoch: int) -> None:
        z, place = logits.detach(), (indices.numpy(), epoch)
        hot = torch.nn.functional.one_hot(targets, planted_digits.classes)
        found["losses"][place] = cross_entropy(z, targets).numpy()
        others = z.masked_fill(hot == 1, -torch.inf).amax(1)
        found["margins"][place] = (z.gather(1, targets[:, None])[:, 0] - others).numpy()
        found["squared_errors"][place] = (z.softmax(1) - hot).square().sum(1).numpy()
        found["predicted"][place] = z.argmax(1).numpy()

    train(planted_digits.images, planted_digits.labels, planted_digits.classes, 20, record)
    norms = np.square(planted_digits.images).sum(axis=1)
    return {**found, "squared_norms": np.repeat(norms[:, None], 20, axis=1)}


@pytest.fixture(scope="session")
def digit_losses(digit_traces: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Losses [N, 20] of the planted digits over a training of 20 epochs."""
    return digit_traces["losses"]
