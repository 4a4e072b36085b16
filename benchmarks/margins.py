"""Row 5: the AUM accumulator beside the `aum` package, on the same batches, values equal.

One epoch over 50,000 samples of ten classes in batches of 64, as CIFAR-10 has them; CPU seconds, one thread.
`python -m benchmarks.margins [--samples N] [--repeats N]`
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks.row import Row, at_least, print_rows
from noisebench.science.aum import MarginAccumulator
from noisebench.science.aum_package import PackageMarginAccumulator

CLASSES, BATCH = 10, 64
BAR = 50

Batch = tuple[Tensor, Tensor, Tensor]


def batches(samples: int) -> list[Batch]:
    """Return logits, targets and indices of an epoch's batches."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(samples, generator=generator)
    logits = torch.randn(samples, CLASSES, generator=generator)
    targets = torch.randint(0, CLASSES, (samples,), generator=generator)
    parts = (torch.split(tensor, BATCH) for tensor in (logits, targets, order))
    return list(zip(*parts, strict=True))


def cpu_seconds(update: Callable[[Tensor, Tensor, Tensor], None], epoch: list[Batch]) -> float:
    """Return the CPU seconds of an epoch of updates."""
    began = time.process_time()
    for batch in epoch:
        update(*batch)
    return time.process_time() - began


def rows(samples: int, repeats: int) -> Iterator[Row]:
    """Measure both in turn, compare their values."""
    torch.set_num_threads(1)
    epoch = batches(samples)
    ours, package = MarginAccumulator(samples, "cpu"), PackageMarginAccumulator(samples, "cpu")
    seconds, theirs = [], []
    for _ in range(repeats):
        seconds.append(cpu_seconds(ours.update, epoch))
        theirs.append(cpu_seconds(package.update, epoch))
    torch.testing.assert_close(ours.mean(), package.mean(), rtol=1e-6, atol=1e-6)
    ratio = statistics.median(peer / mine for mine, peer in zip(seconds, theirs, strict=True))
    each = [1e6 * statistics.median(times) / len(epoch) for times in (seconds, theirs)]
    figures = f"{each[0]:.0f} us a batch, aum package {each[1]:,.0f} us; values equal"
    yield at_least("5", f"AUM update, {samples:,} samples in batches of {BATCH}", figures, ratio, BAR)


def main() -> None:
    """Print the row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    print_rows(rows(options.samples, options.repeats), as_json=options.json)


if __name__ == "__main__":
    main()
