"""Every name a sweep may use, with its parameters; a test holds it against what `science` has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from noisebench.catalogue.parameters import FROM_RECIPE, REQUIRED, Parameter, choice, flag, integer, number

DELAY = integer(0, 0)
DYNAMICS = flag(False)

LOSSES: dict[str, dict[str, Parameter]] = {
    "CE": {},
    "FL": {"gamma": number(2, 0), "detach": flag(True)},
    "GCE": {"q": number(0.7, 0, 1, open_low=True)},
    "ANL-CE": {name: number(FROM_RECIPE, 0) for name in ("alpha", "beta", "delta")},
    "ANL-FL": {name: number(FROM_RECIPE, 0) for name in ("alpha", "beta", "delta", "gamma")},
    "BL": {"gamma": number(REQUIRED, 0), "form": choice("detached", "detached", "printed", "clamped")},
    "PZ": {"c": number(REQUIRED, 0, 1, open_high=True)},
    "MAE": {},
    "SCE": {
        "alpha": number(0.1, 0),
        "beta": number(1, 0),
        "A": number(math.log(1e-4), high=0, open_high=True),
    },
    "PHuber-CE": {"tau": number(10, 1, open_low=True)},
    "NCE+MAE": {"alpha": number(1, 0), "beta": number(1, 0)},
    "NCE+RCE": {"alpha": number(1, 0), "beta": number(1, 0)},
    "AGCE": {"a": number(0.6, 0, open_low=True), "q": number(0.6, 0, open_low=True)},
    "Curriculum": {"epsilon": number(0, 0, 1, open_high=True)},
}
# The papers start every loss at once but PZ, which needs an epoch of CE to leave p <= c.
DEFAULT_DELAY = {"PZ": 1}

CORRUPTIONS: dict[str, dict[str, Parameter]] = {
    "uniform": {"rate": number(REQUIRED, 0, 1, open_high=True), "exact": flag(False)},
    "asymmetric": {
        "rate": number(None, 0, 1, open_high=True, optional=True),
        "map": Parameter("text", "standard", choices=("standard",)),
        "matrix": Parameter("matrix", None, optional=True),
    },
    "human": {},
    "none": {},
}

DETECTORS: dict[str, dict[str, Parameter]] = {
    "confident-learning": {
        "folds": integer(FROM_RECIPE, 2),
        "prune": choice("both", "class", "noise-rate", "both"),
    },
    "aum": {
        "runs": integer(2, 2),
        "percentile": number(99, 0, 100),
        "skip_epochs": integer(1, 0),
        "threshold": choice("code", "code", "paper"),
        "implementation": choice("noisebench", "noisebench", "aum-package"),
    },
    "ctrl": {},
    "small-loss": {"share": number(None, 0, 1, open_low=True, open_high=True, optional=True)},
    "none": {},
}

SCHEDULES: dict[str, dict[str, Parameter]] = {
    "constant": {},
    "step": {"every": integer(REQUIRED, 1), "factor": number(REQUIRED, 0, 1, open_low=True)},
}

MODELS = ("small-cnn", "resnet-32", "resnet-34")

TRAINING: dict[str, Parameter] = {
    "model": choice(FROM_RECIPE, *MODELS),
    "pretrained": flag(FROM_RECIPE),
    "optimizer": choice(FROM_RECIPE, "adam", "sgd", "nesterov"),
    "learning_rate": number(FROM_RECIPE, 0, open_low=True),
    "momentum": number(FROM_RECIPE, 0, 1, open_high=True),
    "weight_decay": number(FROM_RECIPE, 0),
    "epochs": integer(FROM_RECIPE, 1),
    "batch_size": integer(FROM_RECIPE, 1),
    "augmentation": choice(FROM_RECIPE, "none", "crop-flip"),
    "input_scale": choice(FROM_RECIPE, "unit", "raw", "normalised"),
    "precision": choice("reference", "reference", "fast"),
}


@dataclass(frozen=True)
class DatasetEntry:
    """What is known of a data set without reading it; `shape` is (channels, height, width).

    `samples` are those that a detector judges. `human`: its given labels are people's, with their
    errors. `training_samples`: those of a training part of its own, so that there are no folds.
    """

    samples: int
    test_samples: int
    shape: tuple[int, int, int]
    classes: int
    human: bool = False
    training_samples: int | None = None
    parameters: Mapping[str, Parameter] = field(
        default_factory=lambda: {"samples": integer(None, 10, optional=True)}
    )


_CIFAR = (3, 32, 32)

DATASETS: dict[str, DatasetEntry] = {
    "digits": DatasetEntry(1_797, 0, (1, 8, 8), 10),
    "MNIST": DatasetEntry(60_000, 10_000, (1, 28, 28), 10),
    "Fashion-MNIST": DatasetEntry(60_000, 10_000, (1, 28, 28), 10),
    "CIFAR-10": DatasetEntry(50_000, 10_000, _CIFAR, 10),
    "CIFAR-100": DatasetEntry(50_000, 10_000, _CIFAR, 100),
    **{
        f"CIFAR-10N-{variant}": DatasetEntry(50_000, 10_000, _CIFAR, 10, human=True)
        for variant in ("aggregate", "worst", "random1", "random2", "random3")
    },
    "CIFAR-100N": DatasetEntry(50_000, 10_000, _CIFAR, 100, human=True),
    "CIFAR-100-cleaned-test": DatasetEntry(
        9_415, 0, _CIFAR, 100, training_samples=50_000, parameters={"corrupt_training": flag(True)}
    ),
}
# A folder of images, one sub-folder a class, is written {folder: PATH}.
FOLDER = {
    "path": Parameter("text"),
    "height": integer(32, 8),
    "width": integer(32, 8),
    "channels": integer(3, 1, 3),
}
# Data sets whose classes have a customary confusion (`map: standard`).
WITH_STANDARD_MAP = ("MNIST", "CIFAR-10", "CIFAR-100")
