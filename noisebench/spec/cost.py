"""What a sweep will cost, before anything is started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from noisebench.spec.catalogue import DATASETS, DatasetEntry
from noisebench.spec.sweep import Sweep
from noisebench.spec.trial import Trial


@dataclass(frozen=True)
class Rate:
    """Images a second that one device trains (forward and backward) and evaluates (forward)."""

    training: float
    evaluation: float


# Images/s by (model, image height). One CPU thread: small-cnn measured on a 2-core AMD EPYC, the ResNets
# carried over by their operations (71.6 MFLOP an image forward and backward, 412, 6953).
CPU_RATES = {
    ("small-cnn", 8): Rate(17_500, 60_000),
    ("small-cnn", 28): Rate(700, 2_100),
    ("resnet-32", 32): Rate(120, 360),
    ("resnet-34", 32): Rate(7.2, 21),
}
# A V100 as in P2's appendix: 5 minutes an MNIST trial, 15 CIFAR, 150 AUM.
V100_RATES = {
    ("small-cnn", 28): Rate(8_150, 24_450),
    ("resnet-32", 32): Rate(1_668, 5_004),
    ("resnet-34", 32): Rate(2_262, 6_786),
}

# Interpreter, Ray's hand-over, detection, the records.
OVERHEAD_SECONDS = 1.0
# A data set of the user's own is not read before a sweep starts.
_UNKNOWN = DatasetEntry(10_000, 0, (1, 28, 28), 10)


@dataclass(frozen=True)
class Budget:
    """One block's trials with what the pending ones will take on each kind of device."""

    block: str
    trials: int
    completed: int
    cpu_seconds: float
    v100_seconds: float

    HEADER: ClassVar = ("block", "trials", "completed", "CPU-thread hours", "V100 hours")

    def row(self) -> tuple[str, int, int, str, str]:
        """Return the cells under `HEADER`."""
        hours = (f"{seconds / 3600:.2f}" for seconds in (self.cpu_seconds, self.v100_seconds))
        return (self.block, self.trials, self.completed, *hours)  # type: ignore[return-value]

    def as_dict(self) -> dict[str, Any]:
        """Return the same for JSON; hours are of one CPU thread, of one V100."""
        return {
            "block": self.block,
            "trials": self.trials,
            "completed": self.completed,
            "pending": self.trials - self.completed,
            "cpu_thread_hours": self.cpu_seconds / 3600,
            "v100_hours": self.v100_seconds / 3600,
        }


def budgets(sweep: Sweep, completed: Container[str]) -> list[Budget]:
    """Return the budget of each block, then of the whole sweep, where shared trials count once."""
    parts = [(block.name, list(block.trials)) for block in sweep.blocks]
    return [_budget(name, trials, completed) for name, trials in [*parts, ("total", list(sweep.trials()))]]


def _budget(name: str, trials: list[Trial], completed: Container[str]) -> Budget:
    pending = [trial for trial in trials if trial.trial_id not in completed]
    # Seeds of one configuration cost the same: one estimate serves them all.
    seeds = Counter(replace(trial, seed=0) for trial in pending)
    cpu = sum(count * seconds_for(trial, CPU_RATES) for trial, count in seeds.items())
    v100 = sum(count * seconds_for(trial, V100_RATES) for trial, count in seeds.items())
    return Budget(name, len(trials), len(trials) - len(pending), cpu, v100)


def seconds_for(trial: Trial, rates: dict[tuple[str, int], Rate]) -> float:
    """Return the estimated seconds of one trial on a device with these rates."""
    entry = DATASETS.get(trial.dataset.name, _UNKNOWN)
    trained, evaluated = _images(trial, entry)
    rate = _rate(trial.training.model, entry.shape[1], rates)
    return trained * trial.training.epochs / rate.training + evaluated / rate.evaluation + OVERHEAD_SECONDS


def _images(trial: Trial, entry: DatasetEntry) -> tuple[int, int]:
    """Return how many images an epoch trains over all models, how many are evaluated in all."""
    samples = trial.dataset.get("samples") or entry.samples
    test_samples = min(entry.test_samples, samples)
    if entry.training_samples:
        return entry.training_samples, samples + test_samples
    if trial.detector.name == "confident-learning":
        folds = trial.detector["folds"]
        return samples * (folds - 1), samples + folds * test_samples
    runs = trial.detector.get("runs", 1)
    return samples * runs, test_samples * runs


def _rate(model: str, height: int, rates: dict[tuple[str, int], Rate]) -> Rate:
    """Return a model's rate at an image height, carried over from the nearest one measured."""
    measured = {size: rate for (name, size), rate in rates.items() if name == model}
    nearest = min(measured, key=lambda size: abs(size - height))
    scale = (nearest / height) ** 2
    return Rate(measured[nearest].training * scale, measured[nearest].evaluation * scale)
