"""What a data set implies for training and for the losses' parameters, unless a sweep says otherwise.

Sources: P2 (arXiv 2511.16512) section 4 with appendix A; the authors' early code for learning rate and
batch size; Ye et al. 2023 for the ANL parameters. `digits` is our own: the small CNN on 8x8 images.
"""

from __future__ import annotations

from typing import Any

from noisebench.spec.trial import Component

_CONSTANT = Component("constant")

_SMALL_CNN: dict[str, Any] = {
    "model": "small-cnn",
    "pretrained": False,
    "optimizer": "adam",
    "learning_rate": 1e-4,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "schedule": _CONSTANT,
    "epochs": 10,
    "batch_size": 64,
    "augmentation": "none",
    "input_scale": "unit",
    "precision": "reference",
}
_DIGITS = {**_SMALL_CNN, "learning_rate": 1e-3, "epochs": 20}

# A data set of the user's own starts from the recipe of the embedded one.
_TRAINING: dict[str, dict[str, Any]] = {
    "digits": _DIGITS,
    "MNIST": _SMALL_CNN,
    "Fashion-MNIST": _SMALL_CNN,
}

_ANL_SMALL = {"alpha": 1.0, "beta": 1.0, "delta": 1e-6, "gamma": 0.5}
_ANL: dict[str, dict[str, float]] = {}


def training_defaults(dataset: str, detector: str) -> dict[str, Any]:
    """Return every field of `Training` for a data set (a user's own one included) under a detector."""
    return _TRAINING.get(dataset, _DIGITS)


def loss_default(dataset: str, parameter: str) -> float:
    """Return the value of an ANL parameter (alpha, beta, delta, gamma) for a data set."""
    return _ANL.get(dataset, _ANL_SMALL)[parameter]
