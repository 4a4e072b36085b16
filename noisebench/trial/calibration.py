"""Measuring what a model costs on the device at hand."""

from __future__ import annotations

import multiprocessing
import os
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import torch

from noisebench.catalogue.component import Component
from noisebench.errors import EnvironmentFault
from noisebench.records import provenance
from noisebench.science.models import build
from noisebench.sweep.calibration import Measured
from noisebench.sweep.trial import Training
from noisebench.training.fast_fit import start_fast_fit
from noisebench.training.fast_path import FastPath
from noisebench.training.fast_training import train_together
from noisebench.training.inputs import InputPipeline
from noisebench.training.loop import predict, start_fit, train
from noisebench.training.objective import Objective

# More trials on a GPU are worth it as long as they do this much more together.
WORTHWHILE = 1.05
MEMORY_SHARE = 0.9
CLASSES = 10
MOST_BATCHES = 2_000
# The folds of the papers' trials: where runs are trained as one model, so many are measured.
FUSED_RUNS = 5
# What a process holds of a GPU beside its tensors.
_CONTEXT_MB = 600
_START_SECONDS = 300


@dataclass(frozen=True)
class Task:
    """A training to be measured on images (C, H, W), for about `seconds` on `device`."""

    training: Training
    shape: tuple[int, int, int]
    device: str
    seconds: float


@dataclass(frozen=True)
class Figures:
    """Images a second of one process, and the memory it took."""

    training: float
    evaluation: float
    memory_mb: float


def calibrate(task: Task, together: Sequence[int]) -> Measured:
    """Measure one process, then as many at a time as `together` says, while it pays and memory holds them.

    Raises EnvironmentFault where even one process fails.
    """
    best, found = 1, _side_by_side(task, 1)
    for processes in together:
        if processes * found[0].memory_mb > MEMORY_SHARE * _memory_mb(task.device):
            break
        more = _side_by_side(task, processes)
        if sum(own.training for own in more) < WORTHWHILE * sum(own.training for own in found):
            break
        best, found = processes, more
    return Measured(
        device=_name(task.device),
        gpu=task.device != "cpu",
        model=task.training.model,
        height=task.shape[1],
        precision=task.training.precision,
        training=sum(own.training for own in found),
        evaluation=sum(own.evaluation for own in found),
        memory_mb=max(own.memory_mb for own in found),
        together=best,
    )


def _side_by_side(task: Task, processes: int) -> list[Figures]:
    """Measure in processes of their own, all at the same time."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(processes), context.Queue()
    started = [context.Process(target=_measure, args=(task, barrier, answers)) for _ in range(processes)]
    for process in started:
        process.start()
    found = [answers.get() for _ in started]
    for process in started:
        process.join()
    failures = [answer for answer in found if isinstance(answer, str)]
    if failures:
        raise EnvironmentFault(f"{task.training.model} cannot be measured on {task.device}: {failures[0]}")
    return found


def _measure(task: Task, barrier: Barrier, answers: Queue[Figures | str]) -> None:
    torch.set_num_threads(1)
    try:
        bench = _Bench(task)
        batches = max(2, min(MOST_BATCHES, int(task.seconds / (bench.train(2) / 2))))
        barrier.wait(_START_SECONDS)
        size = task.training.batch_size
        training = bench.runs * batches * size / bench.train(batches)
        answers.put(Figures(training, bench.evaluate(size * batches), bench.memory_mb()))
    except Exception as error:  # whatever it is, the parent waits for an answer
        barrier.abort()
        answers.put(f"{type(error).__name__}: {error}")


class _Bench:
    """The models that a trial trains at a time, on seeded noise."""

    def __init__(self, task: Task) -> None:
        self._training, self._device = task.training, torch.device(task.device)
        generator = torch.Generator().manual_seed(0)
        samples = 32 * task.training.batch_size
        images = torch.randint(0, 256, (samples, *task.shape), generator=generator, dtype=torch.uint8)
        self._targets = torch.randint(0, CLASSES, (samples,), generator=generator).to(self._device)
        training = task.training
        self._inputs = InputPipeline(images.to(self._device), training.input_scale, training.augmentation)
        fast = training.precision == "fast"
        self._path = FastPath.of(self._device, training.model, task.shape) if fast else None
        self.runs = FUSED_RUNS if self._path is not None and self._path.fused else 1
        torch.manual_seed(0)
        self._model = self._trained = build(training.model, task.shape, CLASSES).to(self._device)
        # A thread's own seconds, whatever else runs on a busy machine; a GPU's are seen from outside.
        self._clock = time.process_time if task.device == "cpu" else time.perf_counter

    def train(self, batches: int) -> float:
        """Train two epochs of so many batches; return the seconds of the second, which compiles nothing."""
        stamps: list[float] = []
        size, samples = self._training.batch_size, len(self._targets)
        indices = torch.arange(batches * size, device=self._device) % samples
        training = replace(self._training, epochs=2)
        objective = Objective.of(Component.of("CE", delay=0))

        def stamp(*_: object) -> None:
            stamps.append(self._clock())

        if self._path is not None:
            models = [self._model] * self.runs
            fit = start_fast_fit(models, training, range(self.runs), self._device, self._path)
            self._trained = fit.stack.alone()[0]
            each = (self._targets.expand(self.runs, -1), indices.expand(self.runs, -1))
            train_together(fit, self._inputs, *each, objective, training, _seed, after_epoch=stamp)
        else:
            plain = start_fit(self._model, training, 0)
            train(plain, self._inputs, self._targets, indices, objective, training, _seed, None, stamp)
        return stamps[1] - stamps[0]

    def evaluate(self, images: int) -> float:
        """Return the images a second that the model evaluates."""
        indices = torch.arange(images, device=self._device) % len(self._targets)
        begun = self._clock()
        with torch.no_grad():
            predict(self._trained, self._inputs, indices).cpu()
        return images / (self._clock() - begun)

    def memory_mb(self) -> float:
        """Return the most memory this process has held, on the GPU if it is measured there."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_reserved(self._device) / 2**20 + _CONTEXT_MB
        return provenance.peak_memory_mb() or 0.0


def _seed(purpose: str, *parts: int) -> int:
    return zlib.crc32(repr((purpose, parts)).encode())


def _name(device: str) -> str:
    return provenance.versions()["cpu"] if device == "cpu" else torch.cuda.get_device_name(device)


def _memory_mb(device: str) -> float:
    if device == "cpu":
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20
    return torch.cuda.get_device_properties(device).total_memory / 2**20
