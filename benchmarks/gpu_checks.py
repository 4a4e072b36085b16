"""What must hold on a GPU before its speed counts: versions, equal digits, errors that are recognised."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from benchmarks.gpu_bench import Bench, Unequal
from benchmarks.row import Row, at_most, not_measured
from benchmarks.workload import models
from noisebench.catalogue.component import Component
from noisebench.catalogue.losses import LOSSES
from noisebench.training.equality import difference, share_allowed
from noisebench.training.fit_group import start_group
from noisebench.training.loop import train
from noisebench.training.modes import Modes
from noisebench.training.objective import Objective
from noisebench.training.streams import is_usable
from noisebench.training.task import TrainingTask
from noisebench.trial.device import describe, gpu_versions
from noisebench.trial.failures import classify

LAUNCHES = 1000


def device(bench: Bench) -> Iterator[Row]:
    """Name the device and its libraries; measure its arithmetic and the cost of a kernel."""
    versions = {"torch": torch.__version__, **gpu_versions(bench.device)}
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield Row("", describe(bench.device), named, "", "", "ok")
    rates = [(dtype, matrix_rate(bench, dtype)) for dtype in (torch.float32, torch.bfloat16, torch.float16)]
    figures = ", ".join(f"{str(dtype).removeprefix('torch.')} {rate / 1e12:,.1f}" for dtype, rate in rates)
    yield Row("", "large matrix product, TFLOP/s", figures, "", "", "ok")
    yield Row("", "a trivial kernel", ", ".join(_kernel_seconds(bench)), "", "", "ok")


def matrix_rate(bench: Bench, dtype: torch.dtype) -> float:
    """Return the FLOP/s of a large matrix product."""
    size = 256 if bench.tiny else 8192
    left, right = (torch.randn(size, size, device=bench.device).to(dtype) for _ in range(2))
    return 2 * size**3 / _fastest(lambda: (left @ right).flatten()[0].item())


def _kernel_seconds(bench: Bench) -> Iterator[str]:
    value = torch.zeros(1, device=bench.device)

    def launch() -> None:
        for _ in range(LAUNCHES):
            value.add_(1)

    def eager() -> None:
        launch()
        value.item()

    yield f"eager {_fastest(eager) / LAUNCHES * 1e6:.2f} us"
    if bench.device.type != "cuda":
        return
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        launch()

    def replay() -> None:
        graph.replay()
        value.item()

    yield f"in a graph {_fastest(replay) / LAUNCHES * 1e6:.2f} us"


def _fastest(work: Callable[[], object], repeats: int = 8) -> float:
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def repeated(bench: Bench) -> Iterator[Row]:
    """Train the reference twice: equal to the last bit."""
    for model in bench.models:
        measured = difference(*_training(bench, model, fits=1), Modes())
        what = f"{model}, {bench.steps} steps of the reference, twice"
        yield at_most("=", what, f"logits differ by at most {measured.largest:.1e}", measured.largest, 0, "")


def another_process(bench: Bench) -> Iterator[Row]:
    """Train the reference here and in another process: equal to the last bit."""
    arguments = (bench.device, bench.data_dir, bench.tiny, torch.get_num_threads())
    here = _hashes(*arguments)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.apply(_hashes, arguments)
    for model in bench.models:
        what = f"{model}, {bench.steps} steps of the reference, in another process"
        figures = f"hashes of the weights {here[model][:12]}, {there[model][:12]}"
        yield Row("=", what, figures, "", "equal", "ok" if here[model] == there[model] else "short")


def _hashes(device: torch.device, data_dir: Path | None, tiny: bool, threads: int) -> dict[str, str]:
    """Return the hash of each model's weights after some steps of the reference."""
    torch.set_num_threads(threads)
    bench, hashes = Bench(device, data_dir, tiny=tiny), {}
    for model in bench.models:
        task, build = _training(bench, model, fits=1)
        group = start_group(build(), task, Modes())
        train(group, task)
        parameters = group.branches[0].stack.parameters()
        weights = b"".join(each.detach().cpu().numpy().tobytes() for each in parameters)
        hashes[model] = hashlib.sha256(weights).hexdigest()
    return hashes


def equality(words: str, bench: Bench) -> Iterator[Row]:
    """Compare the first steps of each model with those of the reference, one fit at a time."""
    modes = bench.modes(words)
    for model in bench.models:
        if modes.compiled and model != "small-cnn":
            continue  # the others compile for minutes
        task, build = _training(bench, model, fits=2 if modes.together else 1)
        measured = difference(task, build, modes)
        figures = (
            f"logits differ by at most {measured.largest:.1e}, "
            f"root mean square {measured.root_mean_square:.1e}"
        )
        share, allowed = measured.share_of_bound, share_allowed(task, build, modes)
        if not share <= allowed:
            bench.report(Unequal(model, str(modes)))
        yield at_most("=", f"{model}, {bench.steps} steps, {modes}", figures, share, allowed, " of bound")


def _training(bench: Bench, model: str, fits: int) -> tuple[TrainingTask, Callable[[], list[nn.Module]]]:
    task = bench.task(model, fits, bench.steps * bench.recipe(model).batch_size)
    # The bounds hold at this rate: larger ones amplify rounding within the steps that are compared.
    training = replace(task.training, epochs=1, learning_rate=min(task.training.learning_rate, 1e-4))
    task = replace(task, training=training)
    shape = task.inputs.images.shape[1:]
    return task, lambda: models(model, shape, task.fits, bench.device)


def waits(bench: Bench) -> Iterator[Row]:
    """Train some steps with each loss while CUDA refuses what makes the host wait for the device."""
    for model in bench.models:
        for words in ("fp32", "half channels-last branches"):
            modes, waits_of = bench.modes(words), {}
            for name in LOSSES:
                try:
                    _train_without_waits(bench, model, modes, Objective.of(_with_values(name)))
                except RuntimeError as error:
                    waits_of[name] = str(error).splitlines()[0]
            figures = "; ".join(f"{name}: {text}" for name, text in waits_of.items()) or "no step waits"
            what = f"{model}, {len(LOSSES)} losses, {modes}"
            yield Row(
                "=", what, figures, f"{len(waits_of)} losses", "0 losses", "short" if waits_of else "ok"
            )


def _with_values(loss: str) -> Component:
    """Return a loss with its defaults, .5 for each parameter that has none."""
    parameters = LOSSES[loss].parameters
    values = {
        name: each.default if isinstance(each.default, float | int | str) else 0.5
        for name, each in parameters.items()
    }
    return Component.of(loss, **values, delay=0)


def _train_without_waits(bench: Bench, model: str, modes: Modes, objective: Objective) -> None:
    """Train; raise RuntimeError if a step after the first one makes the host wait for the device."""
    task, build = _training(bench, model, fits=2 if modes.together else 1)
    task, last = replace(task, objective=objective), bench.steps - 1
    steps = iter(range(bench.steps))

    def after_step(*_: object) -> None:
        if bench.device.type == "cuda":
            # The first step initialises libraries, and the epoch ends with a copy to the host.
            torch.cuda.set_sync_debug_mode("default" if next(steps) == last else "error")

    hooks = [after_step, *[_ignore] * (len(task.fits) - 1)]
    try:
        train(start_group(build(), task, modes), task, hooks)
    finally:
        if bench.device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")


def _ignore(*_: object) -> None:
    """Observe nothing."""


def errors(bench: Bench) -> Iterator[Row]:
    """Cause errors of the GPU: too large an allocation, then an assertion that makes it unusable."""
    what = "errors are recognised"
    if bench.device.type != "cuda":
        yield not_measured("!", what, "gpu-memory, gpu-error")
        return
    kinds, texts = [], []
    for cause in (_allocate_too_much, _index_out_of_range):
        try:
            cause(bench.device)
        except Exception as error:  # whatever the device raises is what is looked at
            failure = classify(error)
            kinds.append((str(failure.end.error_kind), failure.ends_process, is_usable(bench.device)))
            texts.append(str(error).splitlines()[0][:60])
    expected = [("gpu-memory", False, True), ("gpu-error", True, False)]
    verdict = "ok" if kinds == expected else "short"
    yield Row("!", what, f"{kinds}: {texts}", "", "gpu-memory, gpu-error", verdict)


def _allocate_too_much(device: torch.device) -> None:
    torch.empty(1 << 50, dtype=torch.uint8, device=device)


def _index_out_of_range(device: torch.device) -> None:
    torch.zeros(4, device=device)[torch.tensor([1 << 40], device=device)].sum().item()
