"""Probabilities and labels that others computed, read from `.npy` and `.npz` files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisebench.errors import DataError, InputError
from noisebench.science import rankings


@dataclass(frozen=True)
class GivenProbabilities:
    """Out-of-fold probabilities float64 [N, K], given labels int64 [N], true labels int64 [N] if known."""

    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]
    truth: NDArray[np.int64] | None


def read(probabilities: Path, labels: Path, truth: Path | None) -> GivenProbabilities:
    """Read and check the files; rows are divided by their sums.

    Raises InputError with the file's name for a wrong shape or kind, rows that are negative, not finite or do
    not sum to 1 within 0.01, labels outside 0 to K - 1, and a class that no given label names.
    """
    rows = _array(probabilities, "probabilities")
    if rows.ndim != 2 or rows.shape[0] == 0 or rows.shape[1] < 2 or rows.dtype.kind != "f":
        raise InputError(
            f"{probabilities}: an array of {rows.dtype} {list(rows.shape)}; probabilities must be "
            "floating-point numbers [N, K], a row for each sample, a column for each of at least two classes"
        )
    try:
        p = rankings.renormalised(rows)
    except DataError as error:
        raise InputError(f"{probabilities}: {error}") from error
    given = _labels(labels, "labels", p.shape)
    absent = np.flatnonzero(np.bincount(given, minlength=p.shape[1]) == 0)
    if absent.size:
        raise InputError(
            f"{labels}: no label names class {', '.join(map(str, absent))} of 0 to {p.shape[1] - 1}; "
            "leave its column out, divide the rows by their sums, and number the classes anew"
        )
    return GivenProbabilities(p, given, None if truth is None else _labels(truth, "truth", p.shape))


def _labels(path: Path, name: str, shape: tuple[int, int]) -> NDArray[np.int64]:
    samples, classes = shape
    labels = _array(path, name)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(
            f"{path}: an array of {labels.dtype} {list(labels.shape)}; labels must be integers [N]"
        )
    if len(labels) != samples:
        raise InputError(f"{path}: {len(labels)} labels, but the probabilities have {samples} rows")
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        raise InputError(
            f"{path}: {outside.size} labels are outside 0 to {classes - 1}, the first is "
            f"{labels[outside[0]]} in row {outside[0]}"
        )
    return labels.astype(np.int64)


def _array(path: Path, name: str) -> NDArray[Any]:
    """The array of a `.npy` file, or of a `.npz` file its only one or the one called `name`."""
    try:
        loaded = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: not a .npy or .npz file of numbers; write it with numpy.save") from error
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        names = loaded.files
        chosen = names[0] if len(names) == 1 else name
        if chosen not in names:
            raise InputError(
                f"{path}: no array is called {name!r}; the file has {', '.join(names) or 'none'}"
            )
        try:
            return np.asarray(loaded[chosen])
        except ValueError as error:
            raise InputError(f"{path}: the array {chosen!r} has no numbers") from error
