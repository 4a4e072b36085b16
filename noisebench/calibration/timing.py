"""The speed of one training in this process: a real trial, timed; its equality with the reference."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import nn

from noisebench.catalogue.component import Component
from noisebench.errors import InputError
from noisebench.records import provenance
from noisebench.records.checkpoints import Checkpoints
from noisebench.science.models import build
from noisebench.sweep.trial import Training, Trial
from noisebench.training.equality import difference, share_allowed
from noisebench.training.fit import start_fit
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import predict
from noisebench.training.modes import OVERRIDE, Modes
from noisebench.training.objective import Objective
from noisebench.training.task import TrainingTask
from noisebench.trial.device import CONTEXT_MB
from noisebench.trial.measurement import measure

FOLDS = 5
EQUAL_STEPS = 20
# Batches of an epoch. On a GPU as many as MNIST has, because the cost of an epoch's end matters there.
_BATCHES = {"cuda": 750, "cpu": 8}


@dataclass(frozen=True)
class Task:
    """A training to measure on noise images (C, H, W), for about `seconds` in each process on `device`."""

    training: Training
    shape: tuple[int, int, int]
    device: str
    seconds: float

    def trial(self) -> Trial:
        """Return a trial of this training without end, whose loss starts after one epoch."""
        kind = torch.device(self.device).type
        samples = _BATCHES[kind] * self.training.batch_size * FOLDS // (FOLDS - 1)
        channels, height, width = self.shape
        return Trial(
            dataset=Component.of(
                "noisebench.data.noise:noise", count=samples, channels=channels, height=height, width=width
            ),
            corruption=Component.of("none"),
            loss=Component.of("BL", gamma=0.4, delay=1),
            detector=Component.of("confident-learning", folds=FOLDS, prune="both"),
            training=replace(self.training, epochs=1_000_000, pretrained=False),
            dynamics=False,
            seed=0,
        )


@dataclass(frozen=True)
class Figures:
    """Images per second of one process, its memory, and its modes as named in a record."""

    training: float
    evaluation: float
    memory_mb: float
    modes: str


class _EnoughError(Exception):
    """The measurement is complete."""


class Stopwatch(Checkpoints):
    """Times the epochs of a real trial, then stops it; writes no checkpoints.

    The first two epochs are a warm-up: they compile, record, and start the trial's loss.
    """

    WARM_UP = 2

    def __init__(self, task: Task, warmed_up: Callable[[], object]) -> None:
        super().__init__()
        self._task, self._warmed_up = task, warmed_up
        # CPU time is independent of other load; a GPU's time can only be measured by the clock.
        self._clock = time.process_time if task.device == "cpu" else time.perf_counter
        self._epochs, self._began, self._seconds = 0, 0.0, 0.0

    @property
    def epoch_due(self) -> bool:
        """Count an epoch; raise _EnoughError once the time is over."""
        self._epochs += 1
        if self._epochs == self.WARM_UP:
            self._warmed_up()
            self._began = self._clock()
        elif self._epochs > self.WARM_UP:
            self._seconds = self._clock() - self._began
            if self._seconds >= self._task.seconds:
                raise _EnoughError
        return False

    def run(self) -> Figures:
        """Measure the trial."""
        trial, device = self._task.trial(), torch.device(self._task.device)
        with suppress(_EnoughError):
            measure(trial, None, device, self)
        images = (self._epochs - self.WARM_UP) * self._images_an_epoch(trial)
        return Figures(images / self._seconds, 0.0, _used_memory_mb(device), _modes_text(self._task))

    def _images_an_epoch(self, trial: Trial) -> int:
        samples: int = trial.dataset["count"]
        each = samples - samples // FOLDS
        modes = _modes(self._task, _modes_text(self._task))
        return FOLDS * each if modes.together else each


def check_equality(task: Task, words: str) -> None:
    """Train some steps in these modes; raise InputError where the reference differs beyond the bounds."""
    modes, device = _modes(task, words), torch.device(task.device)
    if modes == Modes():
        return
    runs = 2 if modes.together else 1
    training = _equality_task(task, runs)

    def new_models() -> list[nn.Module]:
        return _models(task, runs, device)

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


def _equality_task(task: Task, runs: int) -> TrainingTask:
    device, size = torch.device(task.device), task.training.batch_size
    generator = torch.Generator().manual_seed(0)
    samples = EQUAL_STEPS * size
    images = torch.randint(0, 256, (samples, *task.shape), generator=generator, dtype=torch.uint8)
    targets = torch.randint(0, 10, (runs, samples), generator=generator)
    training = replace(task.training, epochs=1, learning_rate=min(task.training.learning_rate, 1e-4))
    return TrainingTask(
        inputs=InputPipeline(images.to(device), training.input_scale, training.augmentation),
        targets=targets.to(device),
        indices=torch.arange(samples, device=device).expand(runs, -1),
        objective=Objective.of(Component.of("CE", delay=0)),
        training=training,
        runs=tuple(range(runs)),
        seed_for=task.trial().seed_for,
    )


def evaluation_rate(task: Task, words: str) -> float:
    """Return the evaluation rate of a model in images per second, after a warm-up pass."""
    device, modes = torch.device(task.device), _modes(task, words)
    training = _equality_task(task, 1)
    (model,) = start_fit(_models(task, 1, device), training, replace(modes, graph=False)).models()
    clock = time.process_time if task.device == "cpu" else time.perf_counter
    seconds = []
    for _ in range(2):
        began = clock()
        predict(model, training.inputs, training.indices[0]).cpu()
        seconds.append(clock() - began)
    return training.samples / seconds[-1]


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
