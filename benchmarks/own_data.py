"""`noisebench detect` on data whose true labels are known: the suspects beside the truth.

`python -m benchmarks.own_data DATA_DIR` uses MNIST's 10,000 test images with 5% planted wrong labels, in four
formats; `--dataset CIFAR-10N-aggregate --samples 5000` uses labels of people; `--dataset clusters` a million
feature vectors around ten centres, 5% of them with wrong labels; `--only features` chooses.
`--model small-cnn` trains that model, on the formats that have images. `detect` runs with its default options
and two CPUs. Each line has the format, the metrics of the suspects, their recall at the cut of 90% precision,
AUROC, the F1 of each loss alone, what a review of the random cards estimates, and seconds of wall and CPU
time; with `--json` it is an object. `benchmarks/results.md` has measured lines.
"""

from __future__ import annotations

import argparse
import csv
import json
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.own_features import components, patch_features
from benchmarks.own_truth import Labels, found_beside_truth
from noisebench.catalogue.component import Component
from noisebench.data.datasets import load_dataset, mnist
from noisebench.errors import DataError

FORMATS = ("folder", "manifest", "npz", "features")
PLANTED = ("MNIST", "FashionMNIST")
HUMAN = ("CIFAR-10N-aggregate", "CIFAR-10N-worst")
CLUSTERS = "clusters"
FEATURE_MODELS = ("linear", "mlp")
RATE = 0.05
HUMAN_SAMPLES = 5000
CLUSTER_SAMPLES = 1_000_000


@dataclass(frozen=True)
class Known:
    """Samples, with their true labels [N] and given labels [N], of which some are wrong.

    Samples are images, uint8 [N, H, W] or [N, H, W, 3], or feature vectors, float32 [N, D].
    """

    samples: npt.NDArray[Any]
    true: Labels
    given: Labels


def planted(data_dir: Path, dataset: str, samples: int | None = None, seed: int = 0) -> Known:
    """Return the first `samples` test images with another label, uniformly drawn, for 5% of them."""
    test = mnist(data_dir, dataset).test
    assert test is not None
    images, true = test.images.numpy()[:samples, 0], test.labels[:samples]
    return Known(images, true, _with_wrong_labels(true, np.random.default_rng(seed)))


def clusters(samples: int, seed: int) -> Known:
    """Return so many points of eight dimensions around ten centres, with 5% wrong labels."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 10, samples)
    features = rng.normal(scale=2, size=(10, 8))[true] + rng.normal(size=(samples, 8))
    return Known(features.astype(np.float32), true, _with_wrong_labels(true, rng))


def _with_wrong_labels(true: Labels, rng: np.random.Generator) -> Labels:
    given = true.copy()
    chosen = rng.permutation(len(given))[: round(RATE * len(given))]
    given[chosen] = (given[chosen] + rng.integers(1, 10, len(chosen))) % 10
    return given


def human(data_dir: Path, dataset: str, samples: int) -> Known:
    """Return so many images of CIFAR-10, drawn at random, with people's labels."""
    whole = load_dataset(Component.of(dataset, samples=samples), data_dir)
    assert whole.human is not None
    images = np.ascontiguousarray(whole.judged.images.numpy().transpose(0, 2, 3, 1))
    return Known(images, whole.judged.labels, whole.human)


def write(data: Known, kind: str, folder: Path) -> Path:
    """Write the data in a format; return what `detect` is given. Ids contain the number of the sample."""
    if kind in ("npz", "features"):
        values = data.samples
        if kind == "features" and values.ndim > 2:
            values = components(values) if values.ndim == 3 else patch_features(values)
        np.savez(folder / f"{kind}.npz", X=values, y=data.given)
        return folder / f"{kind}.npz"
    from PIL import Image

    rows = []
    for number, (image, label) in enumerate(zip(data.samples, data.given, strict=True)):
        path = folder / kind / (str(label) if kind == "folder" else "all") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        rows.append((path.relative_to(folder), label))
    if kind == "folder":
        return folder / kind
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label"), *rows])
    return folder / "manifest.csv"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure each format."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    options = shlex.split(arguments.options)
    formats = arguments.only or (("features",) if arguments.dataset == CLUSTERS else FORMATS)
    if arguments.model is not None:
        options += ["--model", arguments.model]
        if arguments.model not in FEATURE_MODELS:
            if arguments.only and "features" in arguments.only:
                parser.error(f"--model {arguments.model} needs images; leave out --only features")
            formats = [kind for kind in formats if kind != "features"]
    try:
        data = _data(arguments)
    except DataError as error:
        parser.error(str(error))
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for kind in formats:
            figures = found_beside_truth(write(data, kind, folder), data.true, folder / "results", options)
            if arguments.json:
                print(json.dumps({"format": kind, **figures}), flush=True)
            else:
                print(kind, *(f"{name} {_text(value)}" for name, value in figures.items()), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--dataset", default="MNIST", choices=(*PLANTED, *HUMAN, CLUSTERS))
    parser.add_argument(
        "--samples", type=int, help="default: all test images; 5,000 of CIFAR-10; a million points"
    )
    parser.add_argument("--only", nargs="+", choices=FORMATS)
    parser.add_argument("--model", help="of detect, such as small-cnn; default: by the data")
    parser.add_argument("--seed", type=int, default=0, help="of the planted labels")
    parser.add_argument("--options", default="--cpus 2", help="further options of detect, as one text")
    parser.add_argument("--work", type=Path, help="keep data and results here, and continue there")
    parser.add_argument("--json", action="store_true", help="print JSON, one line for each format")
    return parser


def _data(arguments: argparse.Namespace) -> Known:
    if arguments.dataset == CLUSTERS:
        return clusters(arguments.samples or CLUSTER_SAMPLES, arguments.seed)
    if arguments.dataset in PLANTED:
        return planted(arguments.data, arguments.dataset, arguments.samples, arguments.seed)
    return human(arguments.data, arguments.dataset, arguments.samples or HUMAN_SAMPLES)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


if __name__ == "__main__":
    main()
