"""The speed of one training in this process: real trials, timed; its equality with the reference."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from noisebench.calibration.task import Task
from noisebench.catalogue.component import Component
from noisebench.errors import InputError
from noisebench.records import provenance
from noisebench.records.checkpoints import Checkpoints
from noisebench.records.folders import ResultsFolder
from noisebench.records.scores import write_scores
from noisebench.science.models import build
from noisebench.training.equality import difference, share_allowed
from noisebench.training.fit_group import start_group
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import predict
from noisebench.training.modes import OVERRIDE, Modes
from noisebench.training.objective import Objective
from noisebench.training.task import TrainingTask
from noisebench.trial.device import CONTEXT_MB
from noisebench.trial.duration import CHECKPOINT_SECONDS
from noisebench.trial.measurement import measure

EQUAL_STEPS = 20
# The checkpoint of an unfinished fit has this in its name.
_UNFINISHED = "fit-"


@dataclass(frozen=True)
class Figures:
    """Images per second of one process, its memory, and its modes as named in a record."""

    training: float
    evaluation: float
    memory_mb: float
    modes: str


class _EnoughError(Exception):
    """The measurement is complete."""


class ShortTrial(Checkpoints):
    """Runs a trial of few batches to its end: with checkpoints of all epochs, detection and scores."""

    def __init__(self, task: Task, folder: Path) -> None:
        super().__init__(folder / "checkpoints", epoch_seconds=0)
        self._task, self._folder = task, folder
        self._seconds: list[float] = []

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Write a checkpoint; note the seconds of one of an unfinished fit."""
        clock = _clock(self._task)
        began = clock()
        super().write(name, content)
        if name.startswith(_UNFINISHED):
            self._seconds.append(clock() - began)

    def run(self) -> float:
        """Run the trial; return the seconds of a checkpoint, 0 if its fits have none."""
        trial = self._task.short_trial()
        measurement = measure(trial, None, torch.device(self._task.device), self)
        write_scores(ResultsFolder(self._folder), trial.trial_id, measurement.samples)
        self.clear()
        return min(self._seconds, default=0.0)


class Stopwatch(Checkpoints):
    """Times the epochs of real trials, one after another, until the time is over.

    The first two epochs of each fit are a warm-up: they compile, capture, and start the trial's loss.
    Checkpoints of unfinished fits are not written, since one would count for more than in a trial of hours:
    each of `checkpoint_seconds` counts once in CHECKPOINT_SECONDS.
    """

    WARM_UP = 2

    def __init__(
        self, task: Task, folder: Path, warmed_up: Callable[[], object], checkpoint_seconds: float = 0.0
    ) -> None:
        super().__init__(folder / "checkpoints")
        self._task, self._warmed_up, self._checkpoint_seconds = task, warmed_up, checkpoint_seconds
        self._trial, self._clock = task.trial(), _clock(task)
        # Of the current fit: its models and its epochs.
        self._models, self._epochs = 0, 0
        self._ends: float | None = None
        self._last, self._seconds, self._images = 0.0, 0.0, 0

    def read(self, name: str) -> dict[str, Any] | None:
        """Notice the start of a fit: it asks for its checkpoint, `fit-0-1` if fits 0 and 1 train together."""
        if name.startswith(_UNFINISHED):
            self._models, self._epochs = name.count("-"), 0
        return super().read(name)

    @property
    def epoch_due(self) -> bool:
        """Count an epoch; raise _EnoughError once the time is over."""
        self._epochs += 1
        if self._epochs == self.WARM_UP:
            if self._ends is None:
                self._warmed_up()
                self._ends = self._clock() + self._task.seconds
            self._last = self._clock()
        elif self._epochs > self.WARM_UP:
            assert self._ends is not None
            now = self._clock()
            self._seconds += now - self._last
            self._images += self._models * self._task.images_of_a_fit(self._trial)
            self._last = now
            if now >= self._ends:
                raise _EnoughError
        return False

    def run(self) -> Figures:
        """Measure."""
        device = torch.device(self._task.device)
        with suppress(_EnoughError):
            while True:
                measure(self._trial, None, device, self)
                self.clear()
        seconds = self._seconds * (1 + self._checkpoint_seconds / CHECKPOINT_SECONDS)
        return Figures(self._images / seconds, 0.0, _used_memory_mb(device), _modes_text(self._task))


def check_equality(task: Task, words: str) -> None:
    """Train some steps in these modes; raise InputError where the reference differs beyond the bounds."""
    modes, device = _modes(task, words), torch.device(task.device)
    if modes == Modes():
        return
    fits = 2 if modes.together else 1
    training = _equality_task(task, fits)

    def new_models() -> list[nn.Module]:
        return _models(task, fits, device)

    measured = difference(training, new_models, modes)
    if measured.share_of_bound <= 1:
        return
    allowed = share_allowed(training, new_models, modes)
    if not measured.share_of_bound <= allowed:
        raise InputError(
            f"{EQUAL_STEPS} steps differ from the reference by {measured.largest:.1e}, root mean square "
            f"{measured.root_mean_square:.1e}: {measured.share_of_bound:.1f} times the bound, where this "
            f"model may reach {allowed:.1f}"
        )


def _equality_task(task: Task, fits: int) -> TrainingTask:
    device, size = torch.device(task.device), task.training.batch_size
    generator = torch.Generator().manual_seed(0)
    samples = EQUAL_STEPS * size
    images = torch.randint(0, 256, (samples, *task.shape), generator=generator, dtype=torch.uint8)
    targets = torch.randint(0, 10, (fits, samples), generator=generator)
    training = replace(task.training, epochs=1, learning_rate=min(task.training.learning_rate, 1e-4))
    return TrainingTask(
        inputs=InputPipeline(images.to(device), training.input_scale, training.augmentation),
        targets=targets.to(device),
        indices=torch.arange(samples, device=device).expand(fits, -1),
        objective=Objective.of(Component.of("CE", delay=0)),
        training=training,
        fits=tuple(range(fits)),
        seed_for=task.short_trial().seed_for,
    )


def evaluation_rate(task: Task, words: str) -> float:
    """Return the evaluation rate of a model in images per second, after a warm-up pass."""
    device, modes = torch.device(task.device), _modes(task, words)
    training = _equality_task(task, 1)
    (model,) = start_group(_models(task, 1, device), training, replace(modes, graph=False)).models()
    clock, seconds = _clock(task), []
    for _ in range(2):
        began = clock()
        predict(model, training.inputs, training.indices[0]).cpu()
        seconds.append(clock() - began)
    return training.samples / seconds[-1]


def _clock(task: Task) -> Callable[[], float]:
    # CPU time is independent of other load; a GPU's time can only be measured by the clock.
    return time.process_time if task.device == "cpu" else time.perf_counter


def _models(task: Task, count: int, device: torch.device) -> list[nn.Module]:
    models = []
    for number in range(count):
        torch.manual_seed(number)
        models.append(build(task.training.model, task.shape, 10).to(device))
    return models


def _modes(task: Task, words: str) -> Modes:
    reference = task.training.precision == "reference"
    return Modes() if reference else Modes.parse(words, torch.device(task.device))


def _modes_text(task: Task) -> str:
    return str(Modes()) if task.training.precision == "reference" else os.environ[OVERRIDE]


def _used_memory_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 2**20 + CONTEXT_MB
    return provenance.peak_memory_mb() or 0.0
