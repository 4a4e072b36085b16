"""How many images the whole grid of the paper (`sweeps/paper.yaml`) trains and evaluates, by model.

Written down, because a machine that only measures has no sweep to read.
"""

from __future__ import annotations

from dataclasses import dataclass

# Interpreter, hand-over, detection, records, as `noisebench plan` counts them.
OVERHEAD_SECONDS = 1.0


@dataclass(frozen=True)
class Work:
    """What a grid asks of one model: trials, images trained on, images evaluated."""

    trials: int
    trained: int
    evaluated: int


GRID = {
    "small-cnn": Work(trials=4_876, trained=11_688_000_000, evaluated=535_160_000),
    "resnet-32": Work(trials=36, trained=540_000_000, evaluated=720_000),
    "resnet-34": Work(trials=5_565, trained=10_743_000_000, evaluated=533_132_580),
}


def hours(training_rates: dict[str, float], evaluation_rates: dict[str, float]) -> float:
    """Return the device-hours of the grid at these rates, images a second by model."""
    seconds = sum(
        work.trained / training_rates[model]
        + work.evaluated / evaluation_rates[model]
        + work.trials * OVERHEAD_SECONDS
        for model, work in GRID.items()
    )
    return seconds / 3600
