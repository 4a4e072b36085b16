"""Metrics of flags and of suspicion against the labels that are wrong."""

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


def ranking_metrics(suspicion: NDArray[np.floating], wrong: NDArray[np.bool_]) -> dict[str, float | int]:
    """Metrics of suspicion [N] against wrong [N], without a flag rule.

    auroc: the probability that a wrong label is more suspect than a right one, ties counting half;
    average_precision: the mean of precision over the recall steps (scikit-learn's definition). Both in
    [0, 1]; judged: how many samples have a suspicion. NaN suspicion is left out; the metrics are NaN if the
    judged samples have no wrong or no right label.
    """
    if suspicion.shape != wrong.shape or wrong.ndim != 1 or wrong.dtype != np.bool_:
        raise InputError(
            f"metrics: suspicion {list(suspicion.shape)} and wrong {wrong.dtype} {list(wrong.shape)} must "
            "be [N] and bool [N]"
        )
    from sklearn.metrics import average_precision_score, roc_auc_score

    judged = ~np.isnan(suspicion)
    truth = wrong[judged]
    if truth.all() or not truth.any():
        return {"auroc": math.nan, "average_precision": math.nan, "judged": len(truth)}
    # Ranks instead of values: scikit-learn refuses infinite scores.
    ranks = np.unique(suspicion[judged], return_inverse=True)[1]
    return {
        "auroc": float(roc_auc_score(truth, ranks)),
        "average_precision": float(average_precision_score(truth, ranks)),
        "judged": len(truth),
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
