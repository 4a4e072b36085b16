"""Metrics of flags against the labels that are wrong."""

import math

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import InputError


def detection_metrics(flagged: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> dict[str, float | int]:
    """Metrics of flagged [N] against wrong [N], named as the columns of `results`.

    precision, recall, f1, specificity, balanced_accuracy in [0, 1]; flagged, correct (flagged and wrong),
    wrong_labels, samples are counts. Nothing flagged: precision and f1 are 0. Undefined metrics are NaN:
    recall, f1 and balanced_accuracy without a wrong label, the last and specificity without a right one.
    """
    _check(flagged, wrong)
    samples, flags, errors = len(wrong), int(flagged.sum()), int(wrong.sum())
    correct = int((flagged & wrong).sum())
    right = samples - errors
    recall = correct / errors if errors else math.nan
    specificity = 1 - (flags - correct) / right if right else math.nan
    return {
        "precision": correct / flags if flags else 0.0,
        "recall": recall,
        "f1": 2 * correct / (flags + errors) if errors else math.nan,
        "specificity": specificity,
        "balanced_accuracy": (recall + specificity) / 2,
        "flagged": flags,
        "correct": correct,
        "wrong_labels": errors,
        "samples": samples,
    }


def guard(flagged: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> str | None:
    """Return why the flags [N] carry no information about the wrong labels [N], None if they do.

    "flags-nothing", "flags-everything", or "no-better-than-chance" if the precision does not exceed the share
    of wrong labels, which flagging at random would reach.
    """
    _check(flagged, wrong)
    if not flagged.any():
        return "flags-nothing"
    if flagged.all():
        return "flags-everything"
    if wrong[flagged].mean() <= wrong.mean():
        return "no-better-than-chance"
    return None


def _check(flagged: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> None:
    # `&` and sum() accept integer arrays as well, with another result.
    if not (flagged.dtype == wrong.dtype == np.bool_ and flagged.shape == wrong.shape and flagged.ndim == 1):
        raise InputError(
            f"metrics: flagged {flagged.dtype} {list(flagged.shape)} and "
            f"wrong {wrong.dtype} {list(wrong.shape)} must both be bool [N]"
        )
