"""`noisebench detect` on 10,000 images with planted wrong labels: the suspects beside the truth.

`python -m benchmarks.own_data DATA_DIR` uses MNIST's test set; `--dataset FashionMNIST` and `--only features`
choose others. Each line has the format, precision and recall of the suspects, their recall at the cut of 90%
precision, AUROC, and seconds of wall and CPU time. `benchmarks/results.md` has measured lines.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from noisebench.data.datasets import mnist
from noisebench.science.metrics import ranking_metrics

FORMATS = ("folder", "manifest", "npz", "features")
RATE, PRECISION, COMPONENTS = 0.05, 0.9, 64

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Planted:
    """Images uint8 [N, H, W], their true labels [N], and labels of which 5% are wrong [N]."""

    images: npt.NDArray[np.uint8]
    true: Labels
    given: Labels


def planted(data_dir: Path, dataset: str, seed: int = 0) -> Planted:
    """Return the test images with another label, uniformly drawn, for 5% of them."""
    test = mnist(data_dir, dataset).test
    assert test is not None
    rng = np.random.default_rng(seed)
    given = test.labels.copy()
    chosen = rng.permutation(len(given))[: round(RATE * len(given))]
    given[chosen] = (given[chosen] + rng.integers(1, 10, len(chosen))) % 10
    return Planted(test.images.numpy()[:, 0], test.labels, given)


def components(images: npt.NDArray[np.uint8], count: int = COMPONENTS) -> npt.NDArray[np.float32]:
    """Return the first principal components [N, count] of images [N, H, W]."""
    centred = images.reshape(len(images), -1).astype(np.float64)
    centred -= centred.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ vectors[:, ::-1][:, :count], dtype=np.float32)


def write(data: Planted, kind: str, folder: Path) -> Path:
    """Write the data in a format; return what `detect` is given. Ids contain the number of the sample."""
    if kind in ("npz", "features"):
        values = data.images if kind == "npz" else components(data.images)
        np.savez(folder / f"{kind}.npz", X=values, y=data.given)
        return folder / f"{kind}.npz"
    from PIL import Image

    rows = []
    for number, (image, label) in enumerate(zip(data.images, data.given, strict=True)):
        path = folder / kind / (str(label) if kind == "folder" else "all") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        rows.append((path.relative_to(folder), label))
    if kind == "folder":
        return folder / kind
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label"), *rows])
    return folder / "manifest.csv"


def measure(data: Planted, given: Path, results: Path, options: list[str]) -> dict[str, float]:
    """Run `detect` and compare its table of all samples with the truth."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "noisebench", "detect", str(given), "--results", str(results), "--json"]
    done = subprocess.run([*command, *options], check=True, stdout=subprocess.PIPE, env=os.environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = json.loads(done.stdout)
    files = [Path(path) for path in answer["files"]]
    table = pd.read_parquet(next(path for path in files if path.name == "all.parquet"))
    numbers = [int(Path(name).stem) for name in table["id"]]
    wrong = (data.given != data.true)[numbers]
    found, suspects = np.cumsum(wrong), answer["suspects"]
    precise = np.flatnonzero(found / np.arange(1, len(found) + 1) >= PRECISION)
    return {
        "suspects": suspects,
        "precision": found[suspects - 1] / suspects,
        "recall": found[suspects - 1] / wrong.sum(),
        "recall_at_cut": found[precise[-1]] / wrong.sum() if len(precise) else 0.0,
        "auroc": ranking_metrics(table["suspicion"].to_numpy(), wrong)["auroc"],
        "wall_seconds": time.perf_counter() - began,
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }


def main() -> None:
    """Measure each format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--dataset", default="MNIST", choices=("MNIST", "FashionMNIST"))
    parser.add_argument("--only", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--options", default="", help="further options of detect, as one text")
    parser.add_argument("--work", type=Path, help="keep data and results here, and continue there")
    arguments = parser.parse_args()
    data = planted(arguments.data, arguments.dataset, arguments.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.work or Path(temporary)
        for kind in arguments.only:
            given = write(data, kind, folder)
            found = measure(data, given, folder / "results", shlex.split(arguments.options))
            print(kind, *(f"{name} {value:.4g}" for name, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
