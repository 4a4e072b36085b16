"""`noisebench calibrate`: measure the speed and memory of models on this machine, for `plan` and `run`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.options import DEFAULT_RESULTS, Json, Results, Settings
from noisebench.errors import InputError

if TYPE_CHECKING:
    from noisebench.calibration.task import Task
    from noisebench.sweep.calibration import Measured

# The numbers of trials that are tried on one GPU, as long as each step is faster.
TOGETHER = (2, 4, 8)


def calibrate(
    target: Annotated[
        str, typer.Argument(help="A sweep's YAML file, for all its models; or a model's name.")
    ],
    settings: Settings = None,
    results: Results = DEFAULT_RESULTS,
    gpu: Annotated[bool, typer.Option(help="Measure on the GPU, if there is one.")] = True,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds to measure each training.")] = 5.0,
    as_json: Json = False,
) -> None:
    """Measure models in both precisions on this machine's GPU, or on one thread of its CPU.

    The measurements are kept in the results folder. `plan` uses them to estimate hours on this device, and
    `run` to choose a GPU's execution modes and how many trials share it.
    """
    from noisebench.calibration.calibrate import calibrate as measure
    from noisebench.engine.scratch import private_scratch
    from noisebench.records.durable import write_durably
    from noisebench.sweep.calibration import FILE, Calibration
    from noisebench.trial.device import visible_device

    device = visible_device(gpu=gpu)
    tasks = _tasks(target, settings or [], str(device), seconds)
    results.mkdir(parents=True, exist_ok=True)
    measurements = []
    with private_scratch(results) as scratch:
        for task in tasks:
            together = TOGETHER if device.type == "cuda" else ()
            measurements.append(measure(replace(task, scratch=scratch), together))
            kept = Calibration.read(results).with_newer(measurements)
            write_durably(results / FILE, kept.as_json().encode())
            if not as_json:
                print(_line(measurements[-1]), flush=True)
    if as_json:
        print(Calibration(tuple(measurements)).as_json(), end="")
    print(f"kept in {results / FILE}", file=sys.stderr)


def _tasks(target: str, settings: list[str], device: str, seconds: float) -> list[Task]:
    from noisebench.calibration.task import tasks_of, typical_tasks
    from noisebench.sweep.sweep import load_sweep

    path = Path(target)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return tasks_of(load_sweep(path, settings).trials(), device, seconds)
    if settings:
        raise InputError(f"--set {settings[0]}: replaces a value of a sweep file, and {target} is none")
    return typical_tasks(target, device, seconds)


def _line(measured: Measured) -> str:
    shared = f", {measured.together} trials together" if measured.together > 1 else ""
    return (
        f"{measured.device}: {measured.model} at {measured.height} pixels, {measured.precision} "
        f"({measured.modes}){shared}: "
        f"{measured.training:,.0f} images/s in training, {measured.evaluation:,.0f} in evaluation, "
        f"{measured.memory_mb:,.0f} MB a trial"
    )
