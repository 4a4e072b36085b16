"""Samples, trials and written suspects for tests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisebench.review.outputs import write_suspects
from noisebench.review.samples import Picture, Samples, TrialScores, first_of_each
from noisebench.review.summary import Run, Summary
from noisebench.review.suspects import rank

CLASSES = ("cat", "dog", "owl")


def picture(row: int) -> Picture:
    """Return an image of 12 x 12 pixels with a pattern of the row's own."""
    return np.random.default_rng(row).integers(0, 256, (3, 12, 12), dtype=np.uint8)


def samples_of(labels: list[int], classes: tuple[str, ...] = CLASSES, **more: Any) -> Samples:
    """Return samples s0, s1, ... with these labels, each with content of its own."""
    ids = more.pop("ids", tuple(f"s{row}" for row in range(len(labels))))
    sha256 = more.pop(
        "sha256", tuple(hashlib.sha256(str(row).encode()).hexdigest() for row in range(len(ids)))
    )
    paths = more.pop("paths", tuple(f"{each}.png" for each in ids))
    duplicates = first_of_each(sha256)
    return Samples(ids, paths, sha256, np.array(labels, dtype=np.int64), classes, duplicates, **more)


def scores(
    flagged: list[bool], probabilities: list[list[float]] | None, suspicion: list[float], **more: Any
) -> TrialScores:
    """Return a trial's scores, by default of confident learning with seed 0."""
    values = None if probabilities is None else np.array(probabilities)
    named = {"detector": "confident-learning", "seed": 0, **more}
    return TrialScores(
        suspicion=np.array(suspicion), flagged=np.array(flagged), probabilities=values, **named
    )


def write_review(
    folder: Path, wrong: NDArray[np.bool_], *, cards: int = 5000, budget: int = 300, **more: Any
) -> Summary:
    """Write suspects among samples of two classes; the suspicion follows the probability of a wrong label."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, len(wrong))
    rng = np.random.default_rng(more.pop("seed", 5))
    p_given = np.where(wrong, rng.beta(2, 4, len(wrong)), rng.beta(8, 2, len(wrong)))
    probabilities = np.empty((len(wrong), 2))
    probabilities[np.arange(len(wrong)), labels] = p_given
    probabilities[np.arange(len(wrong)), 1 - labels] = 1 - p_given
    samples = samples_of(labels.tolist(), more.pop("classes", ("cat", "dog")), **more)
    trial = TrialScores("confident-learning", 0, 1 - p_given, p_given < 0.5, probabilities)
    run = Run("pets", "photos/", "0123abcd", {"loss": "CE"}, cards=cards, budget=budget)
    return write_suspects(folder, samples, rank(samples, [trial]), run)
