"""The shared state of the surrogate models of one trial."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor, nn

from noisebench.data.datasets import Dataset, LabelledImages, Labels
from noisebench.data.noisy_labels import given_labels, training_labels
from noisebench.records.checkpoints import Checkpoints, Rows
from noisebench.science.models import build
from noisebench.science.stacked import last_layer_inputs
from noisebench.sweep import reference
from noisebench.sweep.calibration import Calibration
from noisebench.sweep.trial import Trial
from noisebench.training.host_access import refused_operation
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import predict
from noisebench.training.modes import Modes, default_modes, overridden_modes
from noisebench.training.objective import Objective
from noisebench.training.streams import reproducible_kernels
from noisebench.training.watchers import DynamicsWatcher
from noisebench.training.weights import initial_state

Indices = npt.NDArray[np.int64]


@dataclass
class Surrogate:
    """The shared state of a trial's models: data on the device, labels, objective, checkpoints.

    `given` are the given labels of the judged samples. `training` and `training_targets` are the training
    images and labels: those of the judged samples, unless the data set has a separate training part. `modes`
    are the execution modes, `notes` the reasons for deviations from the calibrated modes. `rows` collects
    one row for each epoch of each fit.
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
    modes: Modes
    notes: list[str] = field(default_factory=list)
    rows: Rows = field(default_factory=list)
    _test: InputPipeline | None = None

    @classmethod
    def of(
        cls,
        trial: Trial,
        dataset: Dataset,
        device: torch.device,
        checkpoints: Checkpoints,
        data_dir: Path | None,
        calibration: Calibration | None = None,
    ) -> Surrogate:
        """Corrupt the labels, move the data to the device, choose the modes."""
        given, separate = given_labels(trial, dataset), training_labels(trial, dataset)
        scale, augmentation = trial.training.input_scale, trial.training.augmentation
        if separate is None or dataset.training is None:
            judged = InputPipeline(dataset.judged.images, scale, augmentation, device=device)
            training, targets = judged, given
        else:
            training = InputPipeline(dataset.training.images, scale, augmentation, device=device)
            judged = InputPipeline(dataset.judged.images, scale, like=training, device=device)
            targets = separate
        objective = Objective.of(trial.loss)
        modes, notes = _chosen_modes(trial, device, training.images, calibration or Calibration())
        refused = _refused_graph(trial, training, objective, dataset.classes) if modes.graph else None
        if refused is not None:
            modes, notes = replace(modes, graph=False), [*notes, f"no graph: {refused}"]
        return cls(
            trial=trial,
            dataset=dataset,
            device=device,
            checkpoints=checkpoints,
            data_dir=data_dir,
            given=given,
            training_targets=targets,
            training=training,
            judged=judged,
            objective=objective,
            modes=modes,
            notes=notes,
        )

    @property
    def fast_path(self) -> str | None:
        """The modes in use, with notes on deviations from the calibration; None for the reference."""
        if self.trial.training.precision == "reference":
            return None
        return "; ".join([str(self.modes), *self.notes])

    def take_over(self, modes: Modes, notes: list[str]) -> None:
        """Use these modes from now on; `notes` say why they changed."""
        self.modes = modes
        self.notes.extend(note for note in notes if note not in self.notes)

    def probabilities(
        self, model: nn.Module, indices: Indices | None = None, dropout_seed: int | None = None
    ) -> Tensor:
        """Return softmax probabilities float32 [n, K] of judged samples (default: all), on the CPU.

        With `dropout_seed` dropout is on, the rest of the model in evaluation mode.
        """
        indices = np.arange(len(self.given)) if indices is None else indices
        logits = predict(model, self.judged, self.on_device(indices), dropout_seed)
        return logits.float().softmax(1).cpu()

    @torch.no_grad()
    def features(self, model: nn.Module, inputs: InputPipeline, indices: Indices) -> npt.NDArray[np.float32]:
        """Return the inputs of the last layer, float32 [n, d], in evaluation mode."""
        with last_layer_inputs(model) as features:
            predict(model, inputs, self.on_device(indices))
        return torch.cat(features).float().cpu().numpy()

    def test_accuracy(self, model: nn.Module) -> Tensor:
        """Return the accuracy on the clean test images, [1]; an empty tensor [0] if there are none."""
        test = self.dataset.test
        if test is None:
            return torch.empty(0)
        predicted = self._test_logits(model, test)[:, : self.dataset.classes].argmax(1).cpu().numpy()
        return torch.tensor([float((predicted == test.labels).mean())], dtype=torch.float64)

    def _test_logits(self, model: nn.Module, test: LabelledImages) -> Tensor:
        if self._test is None:
            scale = self.trial.training.input_scale
            self._test = InputPipeline(test.images, scale, like=self.training, device=self.device)
        return predict(model, self._test, self.on_device(np.arange(len(test.labels))))

    def fresh_model(self, fit: int, classes: int) -> nn.Module:
        """Return the initial model of `fit`, on the device."""
        channels, height, width = self.training.images.shape[1:]
        training = self.trial.training
        state = initial_state(training, self.data_dir)
        torch.manual_seed(self.trial.seed_for("init", fit))
        model = build(training.model, (channels, height, width), classes, state, training.model_source)
        return model.to(self.device)

    def dynamics_watcher(self, targets: Labels) -> DynamicsWatcher:
        """Return a watcher of the dynamics of a training on `targets` [N]."""
        part = self.dataset.judged if self.dataset.training is None else self.dataset.training
        loss = self.trial.loss
        return DynamicsWatcher(
            loss.name, dict(loss.parameters), loss["delay"], targets != part.labels, self.device
        )

    @torch.no_grad()
    def held_out_loss(self, model: nn.Module, indices: Indices | None, epoch: int) -> float | None:
        """Return the mean loss on judged samples at `indices`, else on the test part; None without either."""
        test = self.dataset.test
        if indices is not None:
            logits, targets = predict(model, self.judged, self.on_device(indices)), self.given[indices]
        elif test is not None:
            logits, targets = self._test_logits(model, test), test.labels
        else:
            return None
        return float(self.objective.per_sample(logits, self.on_device(targets), epoch).mean())

    def on_device(self, array: npt.NDArray[np.int64]) -> Tensor:
        """Return an integer array as a tensor on the device."""
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def _refused_graph(trial: Trial, training: InputPipeline, objective: Objective, classes: int) -> str | None:
    """Return why a step cannot be captured, None if it can."""
    if training.gathered:
        return "the images are read by batches"
    if not reference.is_reference(trial.loss.name):
        return None
    refused = refused_operation(objective, classes)
    return None if refused is None else f"the loss's {refused}"


def _chosen_modes(
    trial: Trial, device: torch.device, images: Tensor, calibration: Calibration
) -> tuple[Modes, list[str]]:
    """Return the modes of a trial: overridden, else calibrated, else the defaults."""
    training = trial.training
    if training.precision == "reference":
        return Modes(), []
    overridden = overridden_modes(device)
    if overridden is not None:
        return overridden, []
    modes = default_modes(device, training.model, images.shape)
    if device.type == "cpu":
        # Not calibrated: results on CPUs must not depend on the machine.
        return modes, []
    measured = calibration.modes_of(torch.cuda.get_device_name(device), training, images.shape[-2])
    if measured is None:
        return modes, ["default modes, not measured on this device"]
    return Modes.parse(measured, device), []


@lru_cache(maxsize=1)  # finding them takes as long as a small trial's judgement
def _thread_pools(modules: int) -> ThreadpoolController:
    """Return the thread pools of the loaded libraries; only another number of `modules` can bring more."""
    del modules
    return ThreadpoolController()


@contextmanager
def isolated_torch(device: torch.device) -> Iterator[None]:
    """Isolate torch's random state, and use one thread and reproducible kernels; restore all afterwards.

    Results depend on the number of threads, which changes the order of summation, so a trial on a CPU always
    has one thread, in torch, BLAS and scikit-learn; several trials run in parallel instead.
    """
    import sklearn.cluster  # noqa: F401  # brings an OpenMP of its own, which is limited only once it is loaded

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        devices = [device] if device.type == "cuda" else []
        with (
            _thread_pools(len(sys.modules)).limit(limits=1),
            torch.random.fork_rng(devices=devices),
            reproducible_kernels(device),
        ):
            yield
    finally:
        torch.set_num_threads(threads)
