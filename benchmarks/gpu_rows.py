"""The rows of `benchmarks/gpu.py`, in the order in which they are measured, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import torch

from benchmarks import gpu_checks
from benchmarks.gpu_bench import Bench, Part
from benchmarks.row import Row, at_least, at_most, not_measured
from benchmarks.workload import epoch_ends, usual_epoch_seconds
from noisebench.catalogue.component import Component
from noisebench.errors import EnvironmentFault
from noisebench.science import confident_learning
from noisebench.science.detection import Detection
from noisebench.slurm.mps import mps_daemon
from noisebench.sweep.trial import Training, Trial
from noisebench.training.modes import default_modes
from noisebench.trial.measurement import Measurement, measure

# Forward and backward, of one image of 32x32.
RESNET_34_FLOP = 6.953e9
FOLDS = 5
WORKERS = 4
AUM_EPOCHS = 150


def small_cnn(bench: Bench) -> Iterator[Row]:
    """Row 2: beside the usual loop."""
    images, recipe = bench.images("small-cnn"), bench.recipe("small-cnn")
    modes = default_modes(bench.device, "small-cnn", images.pixels.shape)
    workers = 0 if bench.tiny else WORKERS
    epochs = 1 if bench.tiny else 2
    usual = len(images.labels) / usual_epoch_seconds(images, recipe, bench.device, workers, epochs)
    rate = bench.rate("small-cnn", modes, FOLDS if modes.together else 1)
    figures = f"{rate:,.0f} images/s ({modes}), usual loop {usual:,.0f}"
    yield at_least("2", f"small CNN training, {images.source}", figures, rate / usual, 20)


def whole_trial(bench: Bench) -> Iterator[Row]:
    """Row 2: a trial as users run it, the second of its process."""
    with_detection, find = _Detection(), confident_learning.find
    confident_learning.find = with_detection  # type: ignore[assignment]
    try:
        measure(_trial(bench, epochs=1), bench.data_dir, bench.device)
        began = time.perf_counter()
        measured = measure(_trial(bench), bench.data_dir, bench.device)
        seconds = time.perf_counter() - began
    finally:
        confident_learning.find = find
    if bench.probabilities is not None:
        with_detection.write(bench.probabilities, measured)
    figures = (
        f"{seconds:.2f} s with {with_detection.name}, accuracy on clean labels "
        f"{measured.result['clean_accuracy']:.4f} ({measured.fast_path})"
    )
    yield at_most("2", f"{FOLDS}-fold trial, {bench.images('small-cnn').source}", figures, seconds, 3, " s")


def aum_trial(bench: Bench) -> Iterator[Row]:
    """Project a trial with AUM from two short ones, so that the start of a trial counts once."""
    seconds = {}
    for epochs in (1, 1, 3):  # the first is a warm-up
        began = time.perf_counter()
        measured = measure(_aum(bench, epochs), None, bench.device)
        seconds[epochs] = time.perf_counter() - began
    epoch = (seconds[3] - seconds[1]) / 2
    whole = seconds[1] + (AUM_EPOCHS - 1) * epoch
    figures = f"{whole:.0f} s, {epoch:.2f} s an epoch ({measured.fast_path}); published 9,000 s of V100"
    yield Row("", f"ResNet-32, AUM, {AUM_EPOCHS} epochs, projected", figures, "", "", "ok")


def resnet_34(words: str, bench: Bench) -> Iterator[Row]:
    """Row 3: the share of the matrix rate."""
    modes = bench.modes(words)
    peak = gpu_checks.matrix_rate(bench, modes.dtype)
    rate = bench.rate("resnet-34", modes, FOLDS if modes.together else 1)
    figures = f"{rate:,.0f} images/s; matrices {peak / 1e12:,.1f} TFLOP/s; published 19-36%"
    yield at_least("3", f"ResNet-34, {modes}", figures, 100 * rate * RESNET_34_FLOP / peak, 40, "%")


def eager(bench: Bench) -> Iterator[Row]:
    """Time what the modes are compared with: the reference, without cuDNN's fixed kernels, and in 16 bits."""
    for model in bench.models:
        modes = [bench.modes(words) for words in ("fp32", "fp32 tuned", "half channels-last")]
        rates = {str(each): bench.rate(model, each) for each in modes}
        figures = ", ".join(f"{words} {rate:,.0f}" for words, rate in rates.items())
        yield Row("", f"{model}, eager, images/s; `fp32` is the reference", figures, "", "", "ok")


def at_a_time(model: str, words: str, bar: float, bench: Bench) -> Iterator[Row]:
    """Row 4: five models at a time beside one."""
    alone = bench.modes(words.replace("branches", "").replace("grouped", ""))
    together = bench.modes(words)
    one = bench.rate(model, alone)
    five = bench.rate(model, together, FOLDS)
    figures = f"{five:,.0f} images/s, one at a time {one:,.0f}"
    yield at_least("4", f"{FOLDS} x {model}, {together}", figures, five / one, bar)


def processes(bench: Bench) -> Iterator[Row]:
    """Time the small CNN in several processes on one GPU: taking turns, then through MPS."""
    arguments = (bench.device, bench.data_dir, bench.tiny)
    what = "small-cnn in 1, 2, 4 processes, images/s"
    yield Row("", what, _rates_of_processes(*arguments), "", "", "ok")
    if bench.device.type != "cuda":
        yield not_measured("", f"{what}, with MPS", "")
        return
    try:
        with mps_daemon(os.environ.get("CUDA_VISIBLE_DEVICES", "0")) as daemon:
            os.environ.update(daemon.environment)  # of the processes to come: this one has no context
            yield Row("", f"{what}, with MPS", _rates_of_processes(*arguments), "", "", "ok")
    except EnvironmentFault as fault:
        yield not_measured("", f"{what}, with MPS", "", str(fault))


def _rates_of_processes(device: torch.device, data_dir: Path | None, tiny: bool) -> str:
    context, rates = multiprocessing.get_context("spawn"), {}
    for count in (1, 2) if tiny else (1, 2, 4):
        with context.Manager() as manager, context.Pool(count) as pool:
            arguments = (device, data_dir, tiny, manager.Barrier(count))
            rates[count] = sum(pool.starmap(_rate_beside_others, [arguments] * count, chunksize=1))
    return ", ".join(f"{count}: {rate:,.0f} ({rate / rates[1]:.2f}x)" for count, rate in rates.items())


def _rate_beside_others(device: torch.device, data_dir: Path | None, tiny: bool, start: Barrier) -> float:
    """Return this process's images/s, after a training that warms up and a wait for the other processes."""
    bench = Bench(device, data_dir, tiny=tiny)
    modes = default_modes(device, "small-cnn", bench.images("small-cnn").pixels.shape)
    task = bench.task("small-cnn", FOLDS if modes.together else 1)
    epoch_ends(task, modes, epochs=1)
    start.wait()
    ends = epoch_ends(task, modes, epochs=2 if tiny else 6)
    return len(task.fits) * task.samples * (len(ends) - 1) / (ends[-1] - ends[0])


_ONE = "half channels-last graph"
# What comes last is what a short loan of a GPU can do without.
ROWS = {
    "device": Part("", gpu_checks.device, 60),
    "repeated": Part("=", gpu_checks.repeated, 60),
    "equality-branches": Part("=", partial(gpu_checks.equality, "fp32 graph branches"), 60),
    "equality-half": Part("=", partial(gpu_checks.equality, f"{_ONE} branches"), 60),
    "waits": Part("=", gpu_checks.waits, 90),
    "errors": Part("!", gpu_checks.errors, 60),
    "small-cnn": Part("2", small_cnn, 90),
    "trial": Part("2", whole_trial, 90),
    "resnet-34": Part("3", partial(resnet_34, _ONE), 60),
    "resnet-34-branches": Part("3", partial(resnet_34, f"{_ONE} branches"), 90),
    "branches-small-cnn": Part("4", partial(at_a_time, "small-cnn", f"{_ONE} branches", 3.5), 60),
    "branches-resnet-32": Part("4", partial(at_a_time, "resnet-32", f"{_ONE} branches", 2), 90),
    "eager": Part("", eager, 90),
    "aum": Part("", aum_trial, 90),
    "another-process": Part("=", gpu_checks.another_process, 60),
    "resnet-34-tuned": Part("3", partial(resnet_34, f"{_ONE} tuned"), 60),
    "equality-grouped": Part("=", partial(gpu_checks.equality, "fp32 graph grouped"), 60),
    "grouped-small-cnn": Part("4", partial(at_a_time, "small-cnn", f"{_ONE} grouped", 3.5), 60),
    "grouped-resnet-32": Part("4", partial(at_a_time, "resnet-32", f"{_ONE} grouped", 2), 90),
    "processes": Part("", processes, 120),
    "equality-compiled": Part("=", partial(gpu_checks.equality, f"{_ONE} compiled"), 90),
    "resnet-34-compiled": Part("3", partial(resnet_34, f"{_ONE} compiled"), 200),
}


class _Detection:
    """Confident learning, or a stand-in where cleanlab is missing; keeps its arguments."""

    def __init__(self) -> None:
        self._find = confident_learning.find
        self.arguments: tuple[Any, ...] = ()
        try:
            import cleanlab  # noqa: F401

            self.name = "detection"
        except ImportError:
            self.name = "flags by argmax, no cleanlab here"

    def __call__(self, labels: Any, probabilities: Any, *options: Any) -> Detection:
        self.arguments = (labels, probabilities)
        if self.name == "detection":
            return self._find(labels, probabilities, *options)
        return Detection(probabilities.argmax(1) != labels, 1 - probabilities[np.arange(len(labels)), labels])

    def write(self, path: Path, measured: Measurement) -> None:
        """Write labels and probabilities for detection elsewhere."""
        labels, probabilities = self.arguments
        np.savez(path, given=labels, true=measured.samples["true_label"], probabilities=probabilities)


def _trial(bench: Bench, epochs: int | None = None) -> Trial:
    recipe = bench.recipe("small-cnn")
    dataset = Component.of("MNIST", samples=None)
    if bench.tiny or bench.data_dir is None:
        size, count = (8, 40) if bench.tiny else (28, 60_000)
        dataset = _noise(count, 1, size)
    detector = Component.of("confident-learning", folds=FOLDS, prune="both")
    return _trial_of(
        dataset, detector, replace(recipe, epochs=epochs or (1 if bench.tiny else recipe.epochs))
    )


def _aum(bench: Bench, epochs: int) -> Trial:
    size, count = (8, 40) if bench.tiny else (32, 50_000)
    detector = Component.of(
        "aum", runs=2, percentile=99, skip_epochs=0, threshold="code", implementation="noisebench"
    )
    return _trial_of(_noise(count, 3, size), detector, replace(bench.recipe("resnet-32"), epochs=epochs))


def _noise(count: int, channels: int, size: int) -> Component:
    return Component.of(
        "noisebench.data.noise:noise", count=count, channels=channels, height=size, width=size
    )


def _trial_of(dataset: Component, detector: Component, training: Training) -> Trial:
    return Trial(
        dataset=dataset,
        corruption=Component.of("uniform", rate=0.2, exact=False),
        loss=Component.of("CE", delay=0),
        detector=detector,
        training=training,
        dynamics=False,
        seed=0,
    )
