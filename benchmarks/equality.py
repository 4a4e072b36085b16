"""Whole trials at `precision: fast` beside the reference: do the flags agree, does F1 stay?

The measure of agreement is a second reference that differs in the order of summation alone (on a CPU without
oneDNN, on a GPU with other cuDNN kernels): flags of a fast variant have to agree with the reference's at
least as well, less .2 points, and the paired mean difference of F1 has to have its 95% interval inside
`--bound`. `python -m benchmarks.equality --data DIR` takes MNIST whole, by the paper's recipe; smaller with
`--samples N --folds N --epochs N --learning-rate R`; `--only WORDS` measures one fast variant alone.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats

from noisebench.spec.sweep import parse_sweep
from noisebench.spec.trial import Trial
from noisebench.trial.fast_path import OVERRIDE
from noisebench.trial.measurement import Measurement, measure

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


@dataclass
class Variant:
    """How trials are run: `words` of a fast path, None for the reference; what came of each seed."""

    words: str | None
    arithmetic: Callable[[], AbstractContextManager[None]] = nullcontext
    flags: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    f1: list[float] = field(default_factory=list)

    def run(self, trial: Trial, data_dir: Path, device: torch.device) -> Measurement:
        """Measure a trial, keep flags and F1."""
        if self.words:
            os.environ[OVERRIDE] = self.words
        with self.arithmetic():
            measured = measure(trial, data_dir, device)
        self.flags.append(measured.samples["flagged"])
        self.f1.append(measured.result["f1"])
        return measured


def variants(device: torch.device) -> dict[str, Variant]:
    """Return the reference, its double, every fast variant of the device."""
    words, other_order = (
        (["fp32 channels-last fused", "half channels-last"], _without_onednn)
        if device.type == "cpu"
        else (
            ["fp32 graph fused", "half channels-last graph", "half channels-last graph fused"],
            _other_kernels,
        )
    )
    references = {REFERENCE: Variant(None), OTHER_ORDER: Variant(None, other_order)}
    return {**references, **{name: Variant(name) for name in words}}


@contextmanager
def _without_onednn() -> Iterator[None]:
    with torch.backends.mkldnn.flags(enabled=False):
        yield


@contextmanager
def _other_kernels() -> Iterator[None]:
    with torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=False):
        yield


def agreement(ours: Variant, theirs: Variant) -> float:
    """Return the share of samples whose flags agree, in percent, over all seeds."""
    return 100 * float(np.mean([np.mean(a == b) for a, b in zip(ours.flags, theirs.flags, strict=True)]))


def interval(ours: Variant, theirs: Variant) -> tuple[float, float]:
    """Return the 95% interval of the mean difference of F1, seeds paired."""
    differences = np.subtract(ours.f1, theirs.f1)
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
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--bound", type=float, default=0.001)
    parser.add_argument("--only", help="words of the one fast variant to be measured; default: all")
    given = parser.parse_args()
    device = torch.device(given.device)
    found = variants(device)
    if given.only:
        found = {name: found[name] for name in (REFERENCE, OTHER_ORDER)} | {given.only: Variant(given.only)}
    trials = {
        (trial.training.precision, trial.seed): trial
        for trial in parse_sweep(SWEEP.format(**vars(given)), "equality.yaml").trials()
    }
    for seed in range(given.seeds):
        for name, variant in found.items():
            variant.run(trials["fast" if variant.words else "reference", seed], given.data, device)
            print(f"seed {seed}, {name}: F1 {variant.f1[-1]:.4f}", file=sys.stderr, flush=True)
    reference, floor = found[REFERENCE], agreement(found[OTHER_ORDER], found[REFERENCE]) - SLACK_POINTS
    print(
        f"{given.dataset}, {given.samples} samples, {given.folds} folds, {given.epochs} epochs, {given.loss}"
    )
    print(f"mean F1 of the reference {np.mean(reference.f1):.4f} over {given.seeds} seeds, {device}")
    for name, variant in list(found.items())[1:]:
        agreed, (low, high) = agreement(variant, reference), interval(variant, reference)
        flags = "ok" if agreed >= floor else "short"
        scores = "ok" if max(-low, high) <= given.bound else "short"
        print(
            f"{name:<38} flags agree {agreed:.2f}% (>= {floor:.2f}) {flags}; "
            f"F1 difference in [{low:+.4f}, {high:+.4f}] (inside ±{given.bound:g}) {scores}"
        )


if __name__ == "__main__":
    main()
