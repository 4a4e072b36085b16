"""Training the surrogate models of one trial: a fresh one for each fold or run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from noisebench.science.models import build
from noisebench.spec.trial import Trial
from noisebench.trial.checkpoint import Checkpoints, Rows, pack, unpack
from noisebench.trial.data import Dataset, LabelledImages, Labels
from noisebench.trial.inputs import InputPipeline
from noisebench.trial.noise import given_labels, training_labels
from noisebench.trial.objective import Objective
from noisebench.trial.training import EpochStatistics, Fit, predict, start_fit, train
from noisebench.trial.watchers import DynamicsWatcher, Watcher
from noisebench.trial.weights import pretrained_state

Indices = npt.NDArray[np.int64]


@dataclass
class Surrogate:
    """What the models of one trial share: data on the device, labels, objective, checkpoints.

    `given` are the labels of the judged samples. `training` and `training_targets` are what is trained
    on: the same samples, unless the data set has a training part of its own. `rows` gathers one row for
    each epoch of each run (fold).
    """

    trial: Trial
    dataset: Dataset
    device: torch.device
    checkpoints: Checkpoints
    data_dir: Path | None
    given: Labels
    training_targets: Labels
    training: InputPipeline
    judged: InputPipeline
    objective: Objective
    rows: Rows = field(default_factory=list)

    @classmethod
    def of(
        cls,
        trial: Trial,
        dataset: Dataset,
        device: torch.device,
        checkpoints: Checkpoints,
        data_dir: Path | None,
    ) -> Surrogate:
        """Corrupt the labels, move the data to the device."""
        given, own_targets = given_labels(trial, dataset), training_labels(trial, dataset)
        scale, augmentation = trial.training.input_scale, trial.training.augmentation
        if own_targets is None or dataset.training is None:
            judged = InputPipeline(dataset.judged.images.to(device), scale, augmentation)
            training, targets = judged, given
        else:
            training = InputPipeline(dataset.training.images.to(device), scale, augmentation)
            judged = InputPipeline(dataset.judged.images.to(device), scale, like=training)
            targets = own_targets
        objective = Objective.of(trial.loss)
        return cls(
            trial, dataset, device, checkpoints, data_dir, given, targets, training, judged, objective
        )  # fmt: skip

    def once(self, run: int, work: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Return the tensors of a finished run: from its checkpoint, or from `work`, which is then kept."""
        name = f"run-{run}"
        kept = self.checkpoints.read(name)
        if kept is not None:
            rows, tensors = unpack(kept)
        else:
            before = len(self.rows)
            tensors = work()
            rows = self.rows[before:]
            del self.rows[before:]
            self.checkpoints.write(name, pack(rows, tensors))
            self.checkpoints.forget(f"{name}-fit")
        self.rows.extend(rows)
        return tensors

    def train(
        self,
        run: int,
        indices: Indices | None = None,
        targets: Labels | None = None,
        classes: int | None = None,
        watcher: Watcher | None = None,
        held_out: Indices | None = None,
    ) -> nn.Module:
        """Train a fresh model on `indices` (default: all) of the training samples.

        `targets` [N] and `classes` default to the given labels and the data set's classes. With
        `dynamics` the epoch rows get quantiles, and the loss on the `held_out` judged samples, or on the
        test part where none are held out.
        """
        targets = self.training_targets if targets is None else targets
        indices = np.arange(len(targets)) if indices is None else indices
        fit = start_fit(self._fresh_model(run, classes or self.dataset.classes), self.trial.training, run)
        dynamics = self._dynamics_watcher(targets) if self.trial.dynamics else None
        watchers = [w for w in (watcher, dynamics) if w is not None]
        rows = self._restore(fit, watcher)

        def on_batch(epoch: int, logits: Tensor, batch_targets: Tensor, batch: Tensor) -> None:
            for each in watchers:
                each(epoch, logits, batch_targets, batch)

        def after_epoch(fit: Fit, statistics: EpochStatistics) -> None:
            row = {"fold": run, **asdict(statistics)}
            if dynamics is not None:
                row["quantiles"] = dynamics.quantiles(statistics.epoch)
                row["held_out_loss"] = self._held_out_loss(fit.model, held_out, statistics.epoch)
            rows.append(row)
            self._keep(fit, watcher, rows)

        train(
            fit,
            self.training,
            self._on_device(targets),
            self._on_device(indices),
            self.objective,
            self.trial.training,
            self.trial.seed_for,
            on_batch,
            after_epoch,
        )
        self.rows.extend(rows)
        return fit.model

    def probabilities(self, model: nn.Module, indices: Indices | None = None) -> Tensor:
        """Return softmax probabilities float32 [n, K] of judged samples (default: all), on the CPU."""
        indices = np.arange(len(self.given)) if indices is None else indices
        return predict(model, self.judged, self._on_device(indices)).float().softmax(1).cpu()

    def test_accuracy(self, model: nn.Module) -> Tensor:
        """Return the share of clean test images the model gets right, [1]; [0] where there are none."""
        test = self.dataset.test
        if test is None:
            return torch.empty(0)
        guesses = self._test_logits(model, test)[:, : self.dataset.classes].argmax(1).cpu().numpy()
        return torch.tensor([float((guesses == test.labels).mean())], dtype=torch.float64)

    def _test_logits(self, model: nn.Module, test: LabelledImages) -> Tensor:
        scale = self.trial.training.input_scale
        inputs = InputPipeline(test.images.to(self.device), scale, like=self.training)
        return predict(model, inputs, self._on_device(np.arange(len(test.labels))))

    def _fresh_model(self, run: int, classes: int) -> nn.Module:
        channels, height, width = self.training.images.shape[1:]
        state = (
            pretrained_state(self.trial.training.model, self.data_dir)
            if self.trial.training.pretrained
            else None
        )
        torch.manual_seed(self.trial.seed_for("init", run))
        return build(self.trial.training.model, (channels, height, width), classes, state).to(self.device)

    def _dynamics_watcher(self, targets: Labels) -> DynamicsWatcher:
        part = self.dataset.judged if self.dataset.training is None else self.dataset.training
        loss = self.trial.loss
        return DynamicsWatcher(
            loss.name, dict(loss.parameters), loss["delay"], targets != part.labels, self.device
        )

    @torch.no_grad()
    def _held_out_loss(self, model: nn.Module, indices: Indices | None, epoch: int) -> float | None:
        test = self.dataset.test
        if indices is not None:
            logits, targets = predict(model, self.judged, self._on_device(indices)), self.given[indices]
        elif test is not None:
            logits, targets = self._test_logits(model, test), test.labels
        else:
            return None
        return float(self.objective.per_sample(logits, self._on_device(targets), epoch).mean())

    def _keep(self, fit: Fit, watcher: Watcher | None, rows: Rows) -> None:
        watched = {} if watcher is None else watcher.state()
        if (
            not self.checkpoints.each_epoch
            or watched is None
            or fit.epochs_done == self.trial.training.epochs
        ):
            return
        content = {
            **pack(rows, watched),
            "model": fit.model.state_dict(),
            "optimizer": fit.optimizer.state_dict(),
            "epochs_done": fit.epochs_done,
        }
        self.checkpoints.write(f"run-{fit.run}-fit", content)

    def _restore(self, fit: Fit, watcher: Watcher | None) -> Rows:
        """Bring a fit to where its checkpoint left it; return the rows of the epochs done."""
        kept: dict[str, Any] | None = self.checkpoints.read(f"run-{fit.run}-fit")
        if kept is None:
            return []
        rows, watched = unpack(kept)
        fit.model.load_state_dict(kept["model"])
        fit.optimizer.load_state_dict(kept["optimizer"])
        fit.epochs_done = kept["epochs_done"]
        if watcher is not None:
            watcher.restore(watched)
        return rows

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
