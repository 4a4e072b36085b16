"""Measure the fastest modes for a model on a device, and how many trials should share the device."""

from __future__ import annotations

import multiprocessing
import os
import queue
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import torch

from noisebench.calibration.task import Task
from noisebench.calibration.timing import Figures, ShortTrial, Stopwatch, check_equality, evaluation_rate
from noisebench.errors import EnvironmentFault
from noisebench.records import provenance
from noisebench.sweep.calibration import Measured
from noisebench.training.modes import OVERRIDE, Modes, default_modes, overridden_modes
from noisebench.trial.device import USABLE_SHARE

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
# Time for a process to start, compile, capture and finish a short trial, in addition to the measured time.
START_SECONDS = 400.0


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
        check_equality(task, words)
        folder = task.scratch / str(os.getpid())
        checkpoint_seconds = ShortTrial(task, folder).run()
        warmed_up = partial(barrier.wait, START_SECONDS)
        figures = Stopwatch(task, folder, warmed_up, checkpoint_seconds).run()
        answers.put(replace(figures, evaluation=evaluation_rate(task, words)))
    except Exception as error:  # the parent needs an answer in every case
        barrier.abort()
        answers.put(f"{type(error).__name__}: {error}")


def _rate(measured: Sequence[Figures]) -> float:
    return sum(figures.training for figures in measured)


def _name(device: str) -> str:
    return provenance.versions()["cpu"] if device == "cpu" else torch.cuda.get_device_name(device)


def _memory_mb(device: str) -> float:
    if device == "cpu":
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20
    return torch.cuda.get_device_properties(device).total_memory / 2**20
