"""Whole trials at `precision: fast` beside the reference: do the flags agree, is F1 the same?

The measure of agreement is a second reference that differs in the order of summation alone (on a CPU without
oneDNN, on a GPU without cuDNN): flags of a fast variant have to agree with the reference's at
least as well, less .2 points, and the paired mean difference of F1 has to have its 95% interval inside
`--bound`. `python -m benchmarks.equality --data DIR` takes MNIST whole, by the paper's recipe; smaller with
`--samples N --folds N --epochs N --learning-rate R`, faster with several `--processes`. With `--keep DIR`
seeds that were measured before, by the same recipe, are read from there.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats

from noisebench.sweep.sweep import parse_sweep
from noisebench.training.modes import OVERRIDE
from noisebench.trial.measurement import measure

SLACK_POINTS = 0.2
REFERENCE, OTHER_ORDER = "reference", "reference, summed in another order"
SWEEP = """\
sweep: equality
blocks:
  grid:
    dataset: {{name: {dataset}, samples: {samples}}}
    corruption: {{kind: uniform, rate: 0.2}}
    loss: {loss}
    detector: {{name: confident-learning, folds: {folds}}}
    training: {{epochs: {epochs}, learning_rate: {learning_rate}, precision: [reference, fast]}}
    seeds: {seeds}
"""


@dataclass(frozen=True)
class Variant:
    """How trials are run: `words` of a fast path, None for the reference; how its arithmetic is done."""

    words: str | None
    arithmetic: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True)
class Outcome:
    """The outcome of a trial: a flag for each sample, and F1."""

    flags: npt.NDArray[np.bool_]
    f1: float


def variants(device: torch.device, only: str | None) -> dict[str, Variant]:
    """Return the reference, its double, every fast variant of the device or `only` one."""
    words, other_order = (
        (["fp32 channels-last grouped", "half channels-last"], _without_onednn)
        if device.type == "cpu"
        else (
            ["fp32 graph branches", "half channels-last graph branches", "half channels-last graph grouped"],
            _without_cudnn,
        )
    )
    references = {REFERENCE: Variant(None), OTHER_ORDER: Variant(None, other_order)}
    return {**references, **{name: Variant(name) for name in ([only] if only else words)}}


def outcomes(seed: int, options: argparse.Namespace) -> dict[str, Outcome]:
    """Return the outcome of every variant on the trial of one seed: as kept, else measured now."""
    if options.keep is None:
        return _measured(seed, options)
    path = options.keep / _recipe(options) / f"{seed}.npz"
    names = list(variants(torch.device(options.device), options.only))
    if not path.exists():
        by_variant = _measured(seed, options)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".tmp.npz")
        np.savez(
            unfinished,
            flags=[by_variant[name].flags for name in names],
            f1=[by_variant[name].f1 for name in names],
        )
        unfinished.rename(path)
    with np.load(path) as kept:
        return {
            name: Outcome(flags, float(f1))
            for name, flags, f1 in zip(names, kept["flags"], kept["f1"], strict=True)
        }


def _recipe(options: argparse.Namespace) -> str:
    """Return the name of a folder for everything that the outcomes of a seed depend on."""
    parts = (
        options.dataset,
        options.loss,
        options.samples,
        options.folds,
        options.epochs,
        options.learning_rate,
    )
    return "-".join(str(part) for part in (*parts, options.device, options.only or "all")).replace(" ", "-")


def _measured(seed: int, options: argparse.Namespace) -> dict[str, Outcome]:
    """Run every variant on the trial of one seed, on one CPU thread."""
    torch.set_num_threads(1)
    device = torch.device(options.device)
    sweep = parse_sweep(SWEEP.format(**vars(options)), "equality.yaml")
    trials = {trial.training.precision: trial for trial in sweep.trials() if trial.seed == seed}
    by_variant = {}
    for name, variant in variants(device, options.only).items():
        if variant.words:
            os.environ[OVERRIDE] = variant.words
        with variant.arithmetic():
            measured = measure(trials["fast" if variant.words else "reference"], options.data, device)
        by_variant[name] = Outcome(measured.samples["flagged"], measured.result["f1"])
    return by_variant


@contextmanager
def _without_onednn() -> Iterator[None]:
    with torch.backends.mkldnn.flags(enabled=False):
        yield


@contextmanager
def _without_cudnn() -> Iterator[None]:
    # Torch's own convolutions: cuDNN, choosing by time, could choose the kernels of the reference again.
    with torch.backends.cudnn.flags(enabled=False):
        yield


def agreement(ours: list[Outcome], theirs: list[Outcome]) -> float:
    """Return the share of samples whose flags agree, in percent, over all seeds."""
    return 100 * float(np.mean([np.mean(a.flags == b.flags) for a, b in zip(ours, theirs, strict=True)]))


def interval(ours: list[Outcome], theirs: list[Outcome]) -> tuple[float, float]:
    """Return the 95% interval of the mean difference of F1, seeds paired."""
    differences = np.array([a.f1 - b.f1 for a, b in zip(ours, theirs, strict=True)])
    half = stats.t.ppf(0.975, len(differences) - 1) * differences.std(ddof=1) / math.sqrt(len(differences))
    return float(differences.mean() - half), float(differences.mean() + half)


def main() -> None:
    """Run every variant on every seed; print how each agrees with the reference."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dataset", default="MNIST")
    parser.add_argument("--loss", default="CE")
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=0.0001)
    parser.add_argument("--seeds", type=int, default=10, help="at least two")
    parser.add_argument("--bound", type=float, default=0.001)
    parser.add_argument("--only", help="words of the one fast variant to be measured; default: all")
    parser.add_argument("--keep", type=Path, help="a folder for the outcomes of each seed")
    parser.add_argument("--processes", type=int, default=1, help="how many seeds side by side")
    options = parser.parse_args()
    by_variant: dict[str, list[Outcome]] = {
        name: [] for name in variants(torch.device(options.device), options.only)
    }
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        for seed, of_seed in enumerate(pool.map(partial(outcomes, options=options), range(options.seeds))):
            for name, outcome in of_seed.items():
                by_variant[name].append(outcome)
                print(f"seed {seed}, {name}: F1 {outcome.f1:.4f}", file=sys.stderr, flush=True)
    print(
        f"{options.dataset}, {options.samples} samples, {options.folds} folds, {options.epochs} epochs, "
        f"{options.loss}"
    )
    _report(by_variant, options)


def _report(by_variant: dict[str, list[Outcome]], options: argparse.Namespace) -> None:
    reference, other_order, *fast = by_variant
    theirs = by_variant[reference]
    floor = agreement(by_variant[other_order], theirs) - SLACK_POINTS
    mean = np.mean([outcome.f1 for outcome in theirs])
    print(f"mean F1 of the reference {mean:.4f} over {options.seeds} seeds, {options.device}")
    for name in (other_order, *fast):
        agreed, (low, high) = agreement(by_variant[name], theirs), interval(by_variant[name], theirs)
        flags = "ok" if agreed >= floor else "short"
        scores = "ok" if max(-low, high) <= options.bound else "short"
        print(
            f"{name:<38} flags agree {agreed:.2f}% (>= {floor:.2f}) {flags}; "
            f"F1 difference in [{low:+.4f}, {high:+.4f}] (inside ±{options.bound:g}) {scores}"
        )


if __name__ == "__main__":
    main()
