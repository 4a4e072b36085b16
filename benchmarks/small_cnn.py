"""Row 1: images a second of the small CNN in training, on one CPU thread.

Ours beside the usual loop (DataLoader, a transform for each sample, eager fp32), batch 64 for both: the five
folds of a trial as one model where the modes say so, else one fold. The two alternate; a ratio is the median
over the pairs, in CPU seconds, so that a busy machine hurts both alike. The faster of two epochs counts.
`python -m benchmarks.small_cnn [--data DIR] [--pairs N]`
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.row import Row, at_least, print_rows
from benchmarks.workload import RECIPES, Images, epoch_seconds, mnist, noise, task_of, usual_epoch_seconds
from noisebench.training.modes import default_modes

CPU = torch.device("cpu")
FOLDS = 5


def row(number: str, images: Images, bar: float, pairs: int) -> Row:
    """Measure both loops on the same images, in turn."""
    recipe, count = RECIPES["small-cnn"], len(images.labels)
    modes = default_modes(CPU, "small-cnn", images.pixels.shape)
    fits = FOLDS if modes.together else 1
    task = task_of(images, recipe, CPU, fits)
    ratios, ours, usual = [], [], []
    for _ in range(pairs):
        usual.append(usual_epoch_seconds(images, recipe, CPU, epochs=2, clock=time.process_time))
        ours.append(epoch_seconds(task, modes, epochs=2, clock=time.process_time) / fits)
        ratios.append(usual[-1] / ours[-1])
    rates = [count / statistics.median(seconds) for seconds in (ours, usual)]
    what = f"small CNN training, one CPU thread, {images.source}"
    figures = f"{rates[0]:,.0f} images/s ({modes}), usual loop {rates[1]:,.0f}"
    return at_least(number, what, figures, statistics.median(ratios), bar)


def rows(data_dir: Path | None, pairs: int) -> Iterator[Row]:
    """Measure at 28x28, then at 8x8."""
    torch.set_num_threads(1)
    yield row("1", mnist(data_dir, 1280), 1.4, pairs)
    yield row("1", noise((1, 8, 8), 6400), 1.5, pairs)


def main() -> None:
    """Print both rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = os.environ.get("NOISEBENCH_DATA")
    parser.add_argument("--data", type=Path, default=Path(data) if data else None)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    print_rows(rows(options.data, options.pairs), as_json=options.json)


if __name__ == "__main__":
    main()
