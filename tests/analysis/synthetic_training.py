"""Synthetic training curves with synthetic AUMs, plausible enough to look at."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisebench.sweep.trial import Trial

LEVELS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
# How far right and wrong labels lie apart in AUM, by loss.
DISTANCES = {"CE": 6.1, "BL": 8.4, "PZ": 13.7}


def aum_scores(loss: str, samples: int = 4_000) -> dict[str, NDArray[Any]]:
    """Return the columns of a scores file under AUM; a tenth of the labels is wrong."""
    rng = np.random.default_rng(len(loss))
    wrong = np.arange(samples) % 10 == 0
    margin = rng.normal(np.where(wrong, -DISTANCES[loss] / 2, DISTANCES[loss] / 2), 2.5)
    true = rng.integers(0, 100, samples)
    given = np.where(wrong, (true + 1) % 100, true)
    return {
        "index": np.arange(samples),
        "given_label": given,
        "true_label": true,
        "predicted_label": true,
        "aum": margin,
        "suspicion": -margin,
        "flagged": margin < -1,
    }


def epoch_rows(trial: Trial) -> list[dict[str, Any]]:
    """Return one row an epoch and fold; training loss falls below held-out loss in epoch 10."""
    folds = trial.detector.get("folds") or 1
    return [
        {
            "fold": fold,
            "epoch": epoch,
            "loss": 1.2 * 0.8**epoch,
            "accuracy": 1 - 0.5 * 0.7**epoch,
            "held_out_loss": 0.9 * 0.8**epoch + 0.004 * epoch,
            "quantiles": _quantiles(trial, epoch),
        }
        for fold in range(folds)
        for epoch in range(trial.training.epochs)
    ]


def _quantiles(trial: Trial, epoch: int) -> dict[str, Any]:
    levels = np.maximum(LEVELS, 0.02)
    right = levels ** (2.0 * 0.7**epoch)
    wrong = levels ** (6.0 if trial.loss.name == "CE" else 6.0 + epoch)
    return {
        "levels": list(LEVELS),
        "probability": {"wrong": wrong.tolist(), "right": right.tolist()},
        "gradient": {name: _gradient(trial, p) for name, p in (("wrong", wrong), ("right", right))},
    }


def _gradient(trial: Trial, p: NDArray[np.float64]) -> list[float]:
    p = np.maximum(p, 1e-4)
    if trial.loss.name == "BL":
        gamma = trial.loss["gamma"]
        slope = -(p ** (gamma - 1)) * (1 + gamma * np.log(p))
    elif trial.loss.name == "PZ":
        slope = np.where(p > trial.loss["c"], -1 / p, 0.0)
    else:
        slope = -1 / p
    return [float(value) for value in np.sort(slope)]
