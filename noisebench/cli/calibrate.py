"""`noisebench calibrate`: measure the speed and memory of models on this machine, for `plan` and `run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.options import DEFAULT_RESULTS, Json, Results

if TYPE_CHECKING:
    from collections.abc import Iterator

    from noisebench.calibration.timing import Task
    from noisebench.sweep.calibration import Measured
    from noisebench.sweep.trial import Training

# The numbers of trials that are tried on one GPU, as long as each step is faster.
TOGETHER = (2, 4, 8)
# The data set and the detector with which a single model is measured, as in the papers.
TYPICAL = {
    "small-cnn": ("MNIST", "confident-learning"),
    "resnet-32": ("CIFAR-10", "aum"),
    "resnet-34": ("CIFAR-10", "confident-learning"),
}


def calibrate(
    target: Annotated[
        str, typer.Argument(help="A sweep's YAML file, for all its models; or a model's name.")
    ],
    results: Results = DEFAULT_RESULTS,
    gpu: Annotated[bool, typer.Option(help="Measure on the GPU, if there is one.")] = True,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds to measure each training.")] = 5.0,
    as_json: Json = False,
) -> None:
    """Measure models on this machine's GPU, or on one thread of its CPU.

    The measurements are kept in the results folder. `plan` uses them to estimate hours on this device, and
    `run` to choose a GPU's execution modes and how many trials share it.
    """
    from noisebench.calibration.calibrate import calibrate as measure
    from noisebench.records.durable import write_durably
    from noisebench.sweep.calibration import FILE, Calibration
    from noisebench.trial.device import visible_device

    device = visible_device(gpu=gpu)
    measurements = []
    for task in _tasks(target, str(device), seconds):
        measurements.append(measure(task, TOGETHER if device.type == "cuda" else ()))
        kept = Calibration.read(results).with_newer(measurements)
        write_durably(results / FILE, kept.as_json().encode())
        if not as_json:
            print(_line(measurements[-1]), flush=True)
    if as_json:
        print(Calibration(tuple(measurements)).as_json(), end="")
    print(f"kept in {results / FILE}", file=sys.stderr)


def _tasks(target: str, device: str, seconds: float) -> list[Task]:
    """Return the tasks of a sweep, each (model, image height, precision) once; or those of one model."""
    from noisebench.calibration.timing import Task
    from noisebench.sweep.cost import image_shape
    from noisebench.sweep.sweep import load_sweep

    if target in TYPICAL:
        return [Task(training, shape, device, seconds) for training, shape in _typical(target)]
    tasks: dict[tuple[str, int, str], Task] = {}
    for trial in load_sweep(Path(target)).trials():
        training, shape = trial.training, image_shape(trial)
        key = (training.model, shape[1], training.precision)
        tasks.setdefault(key, Task(training, shape, device, seconds))
    return list(tasks.values())


def _typical(model: str) -> Iterator[tuple[Training, tuple[int, int, int]]]:
    from noisebench.catalogue.datasets import DATASETS
    from noisebench.catalogue.training import TRAINING
    from noisebench.sweep.trial import Training

    dataset, detector = TYPICAL[model]
    recipe = DATASETS[dataset].recipe.training_for(detector)
    for precision in TRAINING["precision"].choices:
        yield Training(**{**recipe, "precision": precision}), DATASETS[dataset].shape


def _line(measured: Measured) -> str:
    shared = f", {measured.together} trials together" if measured.together > 1 else ""
    return (
        f"{measured.device}: {measured.model} at {measured.height} pixels, {measured.precision} "
        f"({measured.modes}){shared}: "
        f"{measured.training:,.0f} images/s in training, {measured.evaluation:,.0f} in evaluation, "
        f"{measured.memory_mb:,.0f} MB a trial"
    )
