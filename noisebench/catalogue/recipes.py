"""What a data set implies for training, detectors and losses, unless a sweep says otherwise.

Sources: P2 (arXiv 2511.16512) section 4 with appendix A; the authors' early code for learning rate and
batch size; Pleiss et al. 2020 for AUM; Ye et al. 2023 for the ANL parameters. `digits` is our own: the
small CNN on 8x8 images.
"""

from __future__ import annotations

from typing import Any

from noisebench.catalogue.component import Component
from noisebench.catalogue.entries import DATASETS

_SMALL_CNN: dict[str, Any] = {
    "model": "small-cnn",
    "pretrained": False,
    "optimizer": "adam",
    "learning_rate": 1e-4,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "schedule": Component("constant"),
    "epochs": 10,
    "batch_size": 64,
    "augmentation": "none",
    "input_scale": "unit",
    "precision": "reference",
}
_DIGITS = {**_SMALL_CNN, "learning_rate": 1e-3, "epochs": 20}
_RESNET_34 = {
    **_SMALL_CNN,
    "model": "resnet-34",
    "pretrained": True,
    "schedule": Component.of("step", every=5, factor=0.1),
    "input_scale": "normalised",
}
_RESNET_34_HUNDRED = {**_RESNET_34, "schedule": Component.of("step", every=5, factor=0.2)}
# P2 A.1 says Adam for everything, yet gives learning rate .1 with weight decay "following Pleiss".
_RESNET_32_AUM = {
    **_SMALL_CNN,
    "model": "resnet-32",
    "optimizer": "nesterov",
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "epochs": 150,
    "augmentation": "crop-flip",
    "input_scale": "normalised",
}

_ANL_SMALL = {"alpha": 1.0, "beta": 1.0, "delta": 1e-6, "gamma": 0.5}
_ANL_CIFAR_10 = {"alpha": 5.0, "beta": 5.0, "delta": 5e-5, "gamma": 0.5}
_ANL_CIFAR_100 = {"alpha": 10.0, "beta": 1.0, "delta": 5e-7, "gamma": 0.5}

FOLDS = 5


def training_defaults(dataset: str, detector: str) -> dict[str, Any]:
    """Return every field of `Training` for a data set under a detector.

    A data set of the user's own starts from the recipe of the embedded one.
    """
    if dataset in ("MNIST", "Fashion-MNIST"):
        return _SMALL_CNN
    if not dataset.startswith("CIFAR"):
        return _DIGITS
    if detector == "aum":
        return _RESNET_32_AUM
    return _RESNET_34_HUNDRED if DATASETS[dataset].classes == 100 else _RESNET_34


def loss_default(dataset: str, parameter: str) -> float:
    """Return the value of an ANL parameter (alpha, beta, delta, gamma) for a data set."""
    if not dataset.startswith("CIFAR"):
        return _ANL_SMALL[parameter]
    return (_ANL_CIFAR_100 if DATASETS[dataset].classes == 100 else _ANL_CIFAR_10)[parameter]


def detector_default(dataset: str, parameter: str) -> int | None:
    """Return confident learning's `folds`; None where the data set has a training part of its own."""
    assert parameter == "folds"
    entry = DATASETS.get(dataset)
    return None if entry and entry.training_samples else FOLDS
