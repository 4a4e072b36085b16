"""Rows 2, 3, 4 and 10: training on a GPU, in under ten minutes: `python benchmarks/gpu.py --data DIR`.

Needs torch with numpy, nothing else that the package asks for; runs from a checkout. MNIST is read from DIR,
images of CIFAR's shape are seeded noise. With `--out FILE` the out-of-fold probabilities of the MNIST trial
are written for `python -m benchmarks.detect FILE`. `--device cpu --tiny` runs every line of it anywhere.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import grid
from benchmarks.gpu_trial import mnist_trial, write_probabilities
from benchmarks.row import Row, at_least, at_most, failed, not_measured, print_rows
from benchmarks.workload import (
    RECIPES,
    Images,
    fast_epoch_seconds,
    largest_differences,
    mnist,
    noise,
    prediction_rate,
    usual_epoch_seconds,
)
from noisebench.training.fast_path import FastPath

# Forward and backward, of one image of 32x32.
RESNET_34_FLOP = 6.953e9
FOLDS = 5
WORKERS = 4
# Logits over the first steps: of the same arithmetic in another order, of half precision (root mean square).
FP32_BOUND, HALF_BOUND = 1e-4, 2e-2


class Bench:
    """One device, with how much is done on it."""

    def __init__(self, device: torch.device, data_dir: Path | None, out: Path | None, *, tiny: bool) -> None:
        self.device, self.out, self.tiny = device, out, tiny
        self.mnist = noise((1, 8, 8), 40) if tiny else mnist(data_dir, 60_000)
        self.cifar = noise((3, 8, 8), 16) if tiny else noise((3, 32, 32), 12_800)
        self.rates: dict[str, float] = {}

    def path(self, model: str, *more: str) -> FastPath:
        """Return the device's path for a model, without fusing, with further means."""
        path = FastPath.of(self.device, model, self.mnist.pixels.shape)
        words = [word for word in str(path).split() if word != "fused"]
        return FastPath.parse(" ".join([*words, *more]), self.device)

    def rate(self, images: Images, model: str, path: FastPath, runs: int = 1) -> float:
        """Return images a second in training, over `runs` models together."""
        recipe = RECIPES[model] if not self.tiny else replace(RECIPES[model], batch_size=8)
        seconds = fast_epoch_seconds(images, recipe, path, self.device, runs, epochs=1 if self.tiny else 3)
        return runs * len(images.labels) / seconds

    def rows(self) -> Iterator[Row]:
        """Measure every row; one that breaks off takes no other with it: time on a GPU is dear."""
        parts = {
            "=": self.equality,
            "2": self.small_cnn,
            "3": self.resnet_34,
            "4": self.fused,
            "10": self.grid,
        }
        for number, part in parts.items():
            try:
                yield from part()
            except Exception as error:
                traceback.print_exc()
                yield failed(number, error)

    def equality(self) -> Iterator[Row]:
        """Compare the first 20 steps with those of eager float32, one run at a time."""
        recipe = replace(RECIPES["small-cnn"], batch_size=8) if self.tiny else RECIPES["small-cnn"]
        recorded = "" if self.device.type == "cpu" else "graph"
        for words, bound in ((f"fp32 {recorded} fused", FP32_BOUND), (f"half {recorded} fused", HALF_BOUND)):
            path = FastPath.parse(words, self.device)
            largest, mean_square = largest_differences(self.mnist, recipe, path, self.device, runs=2)
            judged = largest if bound == FP32_BOUND else mean_square
            figures = f"logits differ by at most {largest:.1e}, root mean square {mean_square:.1e}"
            yield at_most("=", f"20 steps, {path}", figures, judged / bound, 1, " of bound")

    def small_cnn(self) -> Iterator[Row]:
        """Row 2: beside the usual loop, then a whole trial."""
        path = FastPath.of(self.device, "small-cnn", self.mnist.pixels.shape)
        workers = 0 if self.tiny else WORKERS
        usual = len(self.mnist.labels) / usual_epoch_seconds(
            self.mnist, RECIPES["small-cnn"], self.device, workers, epochs=1 if self.tiny else 2
        )
        self.rates["small-cnn"] = self.rate(self.mnist, "small-cnn", path, FOLDS if path.fused else 1)
        figures = f"{self.rates['small-cnn']:,.0f} images/s ({path}), usual loop {usual:,.0f}"
        what = f"small CNN training, {self.mnist.source}"
        yield at_least("2", what, figures, self.rates["small-cnn"] / usual, 20)
        recipe = replace(RECIPES["small-cnn"], epochs=1)
        mnist_trial(self.mnist, recipe, path, self.device, FOLDS)  # what a process does once
        begun = time.perf_counter()
        recipe = recipe if self.tiny else RECIPES["small-cnn"]
        found = mnist_trial(self.mnist, recipe, path, self.device, FOLDS)
        seconds = time.perf_counter() - begun
        if self.out is not None:
            write_probabilities(self.out, found)
        figures = f"{seconds:.2f} s without detection, out-of-fold accuracy {found.accuracy:.4f}"
        yield at_most("2", f"{FOLDS}-fold trial on {self.mnist.source}", figures, seconds, 3, " s")

    def resnet_34(self) -> Iterator[Row]:
        """Row 3: the share of the matrix rate, as the table says, then compiled."""
        peak = self.matrix_rate()
        paths = [self.path("resnet-34")]
        if not self.tiny:
            paths.append(self.path("resnet-34", "compiled"))
        for path in paths:
            rate = self.rate(self.cifar, "resnet-34", path)
            self.rates["resnet-34"] = max(rate, self.rates.get("resnet-34", 0))
            figures = f"{rate:,.0f} images/s; matrices {peak / 1e12:,.1f} TFLOP/s; published 19-36%"
            what = f"ResNet-34 training, {path}"
            yield at_least("3", what, figures, 100 * rate * RESNET_34_FLOP / peak, 40, "%")

    def matrix_rate(self) -> float:
        """Return the FLOP/s of a large matrix product in the type that the path computes in."""
        size, dtype = (256 if self.tiny else 8192), self.path("resnet-34").dtype
        left, right = (torch.randn(size, size, device=self.device).to(dtype) for _ in range(2))
        seconds = []
        for _ in range(8):
            begun = time.perf_counter()
            (left @ right).flatten()[0].item()
            seconds.append(time.perf_counter() - begun)
        return 2 * size**3 / min(seconds)

    def fused(self) -> Iterator[Row]:
        """Row 4: five models together beside five times one."""
        few = Images(self.mnist.pixels[:12_800], self.mnist.labels[:12_800], self.mnist.source)
        for model, images, bar in (("small-cnn", few, 3.5), ("resnet-32", self.cifar, 2)):
            path = self.path(model)
            one = self.rate(images, model, path)
            if path.dtype == torch.float16:
                self.rates[model] = max(one, self.rates.get(model, 0))
                yield not_measured("4", f"{FOLDS} x {model} as one", f">= {bar:g}x", "fp16 is never fused")
                continue
            together = self.rate(images, model, self.path(model, "fused"), FOLDS)
            self.rates[model] = max(one, together, self.rates.get(model, 0))
            figures = f"{together:,.0f} images/s, one at a time {one:,.0f} ({path})"
            yield at_least("4", f"{FOLDS} x {model} as one", figures, together / one, bar)

    def grid(self) -> Iterator[Row]:
        """Row 10: the whole grid at the rates measured above."""
        shapes = {"small-cnn": self.mnist, "resnet-32": self.cifar, "resnet-34": self.cifar}
        what, missing = "the whole grid, projected", [model for model in shapes if model not in self.rates]
        if missing:
            yield not_measured("10", what, "<= 75 h", f"no rate of {', '.join(missing)}")
            return
        predicted = {
            model: prediction_rate(images, model, self.path(model), self.device)
            for model, images in shapes.items()
        }
        hours = grid.hours(self.rates, predicted)
        figures = "published 1,800 h of V100, operations alone 27 h of H200"
        yield at_most("10", what, figures, hours, 75, " h")


def absent() -> Iterator[Row]:
    """Return the rows of a machine without a GPU."""
    yield not_measured("2", "small CNN training, 5-fold trial", ">= 20x, <= 3 s")
    yield not_measured("3", "ResNet-34 training", ">= 40%")
    yield not_measured("4", "5 folds as one", ">= 3.5x, >= 2x")
    yield not_measured("10", "the whole grid, projected", "<= 75 h")


def _unmeasured(row: Row) -> Row:
    return row if row.verdict == "failed" else replace(row, verdict="not measured")


def main() -> None:
    """Print every row; what stands on a CPU is not a measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="So little that the figures mean nothing.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print_rows(absent(), as_json=given.json)
        return
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, not a measurement"
    print(f"{name}; torch {torch.__version__}; {'MNIST' if given.data else 'no MNIST'}", file=sys.stderr)
    torch.backends.cudnn.allow_tf32 = False
    if device.type == "cpu":
        torch.set_num_threads(1)
    rows: Iterator[Row] = Bench(device, given.data, given.out, tiny=given.tiny).rows()
    if device.type == "cpu":
        rows = (_unmeasured(row) for row in rows)
    print_rows(rows, as_json=given.json)


if __name__ == "__main__":
    main()
