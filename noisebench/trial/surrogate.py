"""Training the surrogate models of one trial: a fresh one for each fold or run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from noisebench.science.models import build
from noisebench.spec.trial import Trial
from noisebench.trial.data import Dataset, Labels
from noisebench.trial.inputs import InputPipeline
from noisebench.trial.objective import Objective
from noisebench.trial.training import BatchHook, predict, start_fit, train

Indices = npt.NDArray[np.int64]


@dataclass
class Surrogate:
    """What the models of one trial share: the data on the device, the given labels, the objective.

    `epochs` gathers one row for each epoch of each run (fold): run, epoch, loss, accuracy.
    """

    trial: Trial
    dataset: Dataset
    given: Labels
    device: torch.device
    inputs: InputPipeline
    test_inputs: InputPipeline | None
    objective: Objective
    epochs: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, trial: Trial, dataset: Dataset, given: Labels, device: torch.device) -> Surrogate:
        """Move the data to the device."""
        training = trial.training
        inputs = InputPipeline(dataset.train.images.to(device), training.input_scale, training.augmentation)
        test = dataset.test and InputPipeline(dataset.test.images.to(device), training.input_scale, like=inputs)
        return cls(trial, dataset, given, device, inputs, test, Objective.of(trial.loss))

    def train(
        self,
        run: int,
        indices: Indices,
        targets: Labels | None = None,
        classes: int | None = None,
        on_batch: BatchHook | None = None,
    ) -> nn.Module:
        """Train a fresh model on `indices`; `targets` [N] and `classes` default to the given labels."""
        targets = self.given if targets is None else targets
        torch.manual_seed(self.trial.seed_for("init", run))
        shape = tuple(self.dataset.train.images.shape[1:])
        model = build(self.trial.training.model, shape, classes or self.dataset.classes).to(self.device)  # type: ignore[arg-type]
        statistics = train(
            start_fit(model, self.trial.training, run),
            self.inputs,
            self._on_device(targets),
            self._on_device(indices),
            self.objective,
            self.trial.training,
            self.trial.seed_for,
            on_batch,
        )
        self.epochs.extend({"fold": run, **asdict(row)} for row in statistics)
        return model

    def logits(self, model: nn.Module, indices: Indices) -> Tensor:
        """Return the model's logits [n, K] for training images, in evaluation mode."""
        return predict(model, self.inputs, self._on_device(indices))

    def test_accuracy(self, model: nn.Module) -> list[float]:
        """Return [the share of clean test images the model gets right], or [] where there are none."""
        test = self.dataset.test
        if test is None or self.test_inputs is None:
            return []
        everything = self._on_device(np.arange(len(test.labels)))
        guesses = predict(model, self.test_inputs, everything)[:, : self.dataset.classes].argmax(1)
        return [float((guesses.cpu().numpy() == test.labels).mean())]

    def _on_device(self, array: npt.NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Give the trial torch's global generators and one thread, then hand back what was there before.

    Results depend on the number of threads (sums are split differently), so a trial on a CPU always
    has one; trials run side by side instead.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        torch.set_num_threads(threads)
