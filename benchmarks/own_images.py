"""Images a second from the decoded cache, decoding included, beside ImageFolder + DataLoader over ten epochs.

`python -m benchmarks.own_images`; the model is left out, because it costs both the same. `python -m
benchmarks.own_images --memory 200000` prints the peak memory of a whole `detect` on so many images of 64 x 64
instead: without mapped files, and with them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from noisebench.data.own.cache import keep
from noisebench.data.own.folder import read_folder
from noisebench.science.vision import import_torchvision
from noisebench.training.inputs import InputPipeline
from noisebench.trial.memory import ResidentMemory

EPOCHS, BATCH, PIXELS = 10, 64, 64


def write_images(folder: Path, count: int) -> None:
    """Write `count` JPEG files of 160 x 120 pixels in two classes."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"class-{number % 2}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (15, 20, 3), dtype=np.uint8))
        coarse.resize((160, 120)).save(path, quality=90)


def from_cache(images: Path, root: Path) -> int:
    """Decode the images into a cache, and read ten epochs from it; return how many images were read."""
    kept = keep(read_folder(images), root, size=PIXELS, say=lambda _: None)
    pixels = InputPipeline(torch.from_numpy(kept.values()), "normalised")
    read = 0
    for epoch in range(EPOCHS):
        order = torch.randperm(kept.about.samples, generator=torch.Generator().manual_seed(epoch))
        for begin in range(0, len(order), BATCH):
            read += pixels.drawn_batch(order[None, begin : begin + BATCH], None).shape[1]
    return read


def from_loader(images: Path) -> int:
    """Read ten epochs with torchvision's ImageFolder and torch's DataLoader, a worker for each core."""
    vision = import_torchvision()
    transform = vision.transforms.Compose(
        [
            vision.transforms.Resize(PIXELS),
            vision.transforms.CenterCrop(PIXELS),
            vision.transforms.ToTensor(),
            vision.transforms.Normalize([0.5] * 3, [0.25] * 3),
        ]
    )
    loader = torch.utils.data.DataLoader(
        vision.datasets.ImageFolder(str(images), transform),
        batch_size=BATCH,
        shuffle=True,
        num_workers=len(os.sched_getaffinity(0)),
        persistent_workers=True,
    )
    return sum(len(batch) for _ in range(EPOCHS) for batch, _ in loader)


def write_small_images(folder: Path, count: int) -> None:
    """Write `count` different PNG files of 64 x 64 pixels in two classes, half dark and half bright."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"class-{number % 2}" / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 128, (4, 4, 3), dtype=np.uint8) + np.uint8(100 * (number % 2))
        enlarged = pixels.repeat(16, axis=0).repeat(16, axis=1)
        Image.fromarray(enlarged).save(path, compress_level=1)


def peak_memory(images: Path, results: Path) -> tuple[float, float]:
    """Return the peak MB of a `detect`, without and with the pages of mapped files that it has read."""
    options = ("--loss", "CE", "--model", "linear", "--set", "training.epochs=2", "--inline")
    command = [sys.executable, "-m", "noisebench", "detect", str(images), "--results", str(results)]
    with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL) as process:
        memory, highest = ResidentMemory(process.pid), 0.0
        with_files = 0.0
        while process.poll() is None:
            highest = max(highest, memory.mb())
            with contextlib.suppress(OSError, StopIteration):
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
                line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
                with_files = float(line.split()[1]) / 1024
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"detect failed with {process.returncode}")
    return highest, with_files


def rate(read: Callable[[], int]) -> float:
    """Return images a second."""
    began = time.perf_counter()
    return read() / (time.perf_counter() - began)


def main() -> None:
    """Measure both, one after the other, on the same files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--memory", type=int, metavar="IMAGES", help="measure the peak memory instead")
    arguments = parser.parse_args()
    count = arguments.images
    if arguments.memory:
        with tempfile.TemporaryDirectory() as folder:
            write_small_images(Path(folder, "images"), arguments.memory)
            alone, with_files = peak_memory(Path(folder, "images"), Path(folder, "results"))
        print(f"{arguments.memory:,} images: {alone:,.0f} MB, {with_files:,.0f} MB with mapped files")
        return
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder, "images")
        write_images(images, count)
        cache = rate(lambda: from_cache(images, Path(folder, "data")))
        loader = rate(lambda: from_loader(images))
    memory = ResidentMemory(os.getpid()).mb()
    print(f"cache {cache:,.0f} images/s")
    print(f"ImageFolder + DataLoader {loader:,.0f} images/s")
    print(f"{cache / loader:.1f} times as many")
    print(f"{memory:,.0f} MB of memory without mapped files")


if __name__ == "__main__":
    main()
