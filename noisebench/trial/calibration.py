"""Measure the fastest modes for a model on a device, and how many trials should share the device."""

from __future__ import annotations

import multiprocessing
import os
import queue
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import torch
from torch import nn

from noisebench.catalogue.component import Component
from noisebench.errors import EnvironmentFault, InputError
from noisebench.records import provenance
from noisebench.records.checkpoints import Checkpoints
from noisebench.science.models import build
from noisebench.sweep.calibration import Measured
from noisebench.sweep.trial import Training, Trial
from noisebench.training.equality import difference, share_allowed
from noisebench.training.fit import start_fit
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import predict
from noisebench.training.modes import OVERRIDE, Modes, default_modes, overridden_modes
from noisebench.training.objective import Objective
from noisebench.training.task import TrainingTask
from noisebench.trial.device import CONTEXT_MB, USABLE_SHARE
from noisebench.trial.measurement import measure

# More trials share a device only if their total rate grows at least by this factor.
WORTHWHILE = 1.05
# The modes that are measured on a GPU in addition to the defaults.
CANDIDATES = (
    "half channels-last graph",
    "half channels-last graph tuned",
    "half channels-last graph grouped",
    "half graph branches",
    "half channels-last graph compiled",
    "half channels-last",
    # For models to which 16 bits make too large a difference.
    "fp32 graph branches",
    "fp32",
)
FOLDS = 5
EQUAL_STEPS = 20
# Batches of an epoch. On a GPU as many as MNIST has, because the cost of an epoch's end matters there.
_BATCHES = {"cuda": 750, "cpu": 8}
# Time for a process to start, compile and record, in addition to the measured time.
START_SECONDS = 300.0


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


def calibrate(task: Task, together: Sequence[int]) -> Measured:
    """Measure each of the modes, then several processes at a time in the fastest modes while that is faster.

    Modes that fail, hang, or differ from the reference beyond the bounds are left out, with a line on stderr.
    Raises EnvironmentFault if no modes can be measured.
    """
    best_modes, figures = _fastest(task)
    best, measured = 1, [figures]
    for processes in together:
        if processes * figures.memory_mb > USABLE_SHARE * _memory_mb(task.device):
            break
        try:
            several = _side_by_side(task, best_modes, processes)
        except EnvironmentFault as error:
            print(f"{processes} trials at a time: {error}", file=sys.stderr, flush=True)
            break
        if _rate(several) < WORTHWHILE * _rate(measured):
            break
        best, measured = processes, several
    return Measured(
        device=_name(task.device),
        gpu=task.device != "cpu",
        model=task.training.model,
        height=task.shape[1],
        precision=task.training.precision,
        training=_rate(measured),
        evaluation=sum(figures.evaluation for figures in measured),
        memory_mb=max(figures.memory_mb for figures in measured),
        together=best,
        modes=measured[0].modes,
    )


def candidates(task: Task) -> list[str]:
    """Return the modes to measure, the overridden or default modes first."""
    device = torch.device(task.device)
    if task.training.precision == "reference":
        return [str(Modes())]
    first = overridden_modes(device) or default_modes(device, task.training.model, task.shape)
    if device.type == "cpu" or overridden_modes(device) is not None:
        return [str(first)]
    return list(dict.fromkeys([str(first), *(str(Modes.parse(words, device)) for words in CANDIDATES)]))


def _fastest(task: Task) -> tuple[str, Figures]:
    measured: dict[str, Figures] = {}
    for number, words in enumerate(candidates(task)):
        try:
            (measured[words],) = _side_by_side(task, words, 1)
        except EnvironmentFault as error:
            if number == 0 and task.device == "cpu":
                raise
            print(f"left out: {error}", file=sys.stderr, flush=True)
    if not measured:
        raise EnvironmentFault(f"{task.training.model} cannot be measured on {task.device} in any mode")
    best = max(measured, key=lambda words: measured[words].training)
    return best, measured[best]


def _side_by_side(task: Task, words: str, processes: int) -> list[Figures]:
    """Measure in several processes at the same time; raise EnvironmentFault if one fails."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(processes), context.Queue()
    workers = [
        context.Process(target=_measure, args=(task, words, barrier, answers), daemon=True)
        for _ in range(processes)
    ]
    for process in workers:
        process.start()
    try:
        results = [_answer(answers, workers, 2 * START_SECONDS + task.seconds) for _ in workers]
    finally:
        for process in workers:
            process.kill()
            process.join()
    failures = [result for result in results if isinstance(result, str)]
    if failures:
        raise EnvironmentFault(
            f"{task.training.model} cannot be measured on {task.device} ({words}): {failures[0]}"
        )
    return [result for result in results if isinstance(result, Figures)]


def _answer(answers: Queue[Figures | str], processes: Sequence[BaseProcess], seconds: float) -> Figures | str:
    """Wait for one answer until a process fails or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        failed_codes = [process.exitcode for process in processes if process.exitcode]
        try:
            return answers.get(timeout=1.0)
        except queue.Empty:
            if failed_codes:
                return f"its process ended with code {failed_codes[0]}"
    return f"no result within {seconds:.0f} seconds"


def _measure(task: Task, words: str, barrier: Barrier, answers: Queue[Figures | str]) -> None:
    torch.set_num_threads(1)
    if task.training.precision == "fast":
        os.environ[OVERRIDE] = words
    try:
        _check_equality(task, words)
        stopwatch = Stopwatch(task, lambda: barrier.wait(START_SECONDS))
        figures = stopwatch.run()
        answers.put(replace(figures, evaluation=_evaluation_rate(task, words)))
    except Exception as error:  # the parent needs an answer in every case
        barrier.abort()
        answers.put(f"{type(error).__name__}: {error}")


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


def _check_equality(task: Task, words: str) -> None:
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


def _evaluation_rate(task: Task, words: str) -> float:
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


def _rate(measured: Sequence[Figures]) -> float:
    return sum(figures.training for figures in measured)


def _used_memory_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 2**20 + CONTEXT_MB
    return provenance.peak_memory_mb() or 0.0


def _name(device: str) -> str:
    return provenance.versions()["cpu"] if device == "cpu" else torch.cuda.get_device_name(device)


def _memory_mb(device: str) -> float:
    if device == "cpu":
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20
    return torch.cuda.get_device_properties(device).total_memory / 2**20
