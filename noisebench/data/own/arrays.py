"""Images or feature vectors as arrays: from an .npz file, or from a user's function."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from noisebench.data.own.source import MIN_PIXELS, Source, indexed
from noisebench.errors import InputError
from noisebench.sweep import reference

# The names of the arrays in a file, the first that is there counts.
LABELS, VALUES = ("y", "labels", "label"), ("X", "x", "images", "features", "embeddings", "data")
IDS, GROUPS = ("id", "ids"), ("group", "groups")

# What numpy and zipfile raise for files that are damaged, encrypted or packed in an unknown way, and for
# headers of arrays that no memory can hold.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError),
    *(MemoryError, OverflowError, RuntimeError, zlib.error),
)


def read_npz(path: Path) -> Source:
    """Return the samples of an .npz file with values X, labels y and optional ids and groups."""
    try:
        # Opened here: numpy leaves a file open that it cannot read.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            # numpy gives members that are no arrays as bytes.
            members = {name: file[name] for name in file.files}
            arrays = {name: each for name, each in members.items() if isinstance(each, np.ndarray)}
    except _UNREADABLE as error:
        raise InputError(
            f"{path}: cannot be read as an .npz file ({error}); write it with "
            "np.savez(path, X=values, y=labels), without objects"
        ) from None
    values, labels = _one_of(arrays, VALUES, path), _one_of(arrays, LABELS, path)
    if values is None or labels is None:
        missing = "values X" if values is None else "labels y"
        raise InputError(f"{path}: has no {missing}, only {', '.join(arrays) or 'nothing'}; add them")
    return from_arrays(str(path), values, labels, _one_of(arrays, IDS, path), _one_of(arrays, GROUPS, path))


def read_function(name: str, data_dir: Path | None) -> Source:
    """Return what a user's `module:function` returns for the data folder.

    This is (values, labels) or (values, labels, number of classes), as for a sweep's data set.
    """
    returned: Any = reference.load(name)(data_dir)
    if not isinstance(returned, tuple) or len(returned) not in (2, 3):
        raise InputError(f"{name}: must return (values, labels), not a {type(returned).__name__}")
    return from_arrays(name, np.asarray(returned[0]), np.asarray(returned[1]))


def from_arrays(
    name: str,
    values: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    ids: npt.NDArray[Any] | None = None,
    groups: npt.NDArray[Any] | None = None,
) -> Source:
    """Return arrays as samples; raise InputError if they are not images or features with labels."""
    if labels.ndim != 1 or labels.dtype.kind not in "iuUSb":
        raise InputError(
            f"{name}: labels are {labels.dtype} {list(labels.shape)}; they must be whole numbers or text "
            "[N], one label for each sample"
        )
    for noun, other in (("values", values), ("ids", ids), ("groups", groups)):
        if other is not None and len(np.atleast_1d(other)) != len(labels):
            raise InputError(f"{name}: {len(np.atleast_1d(other))} {noun}, but {len(labels)} labels")
    checked_values = _features(name, values) if values.ndim == 2 else _images(name, values)
    classes, indices = indexed([str(label) for label in labels.tolist()])
    digits = len(str(len(labels) - 1))
    return Source(
        name=name,
        ids=tuple(f"{row:0{digits}}" for row in range(len(labels))) if ids is None else _texts(ids),
        labels=indices,
        classes=classes,
        values=checked_values,
        groups=None if groups is None else indexed(_texts(groups))[1],
    )


def _features(name: str, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    if values.dtype.kind not in "iufb" or not values.shape[1]:
        raise InputError(f"{name}: features are {values.dtype} {list(values.shape)}; must be numbers [N, D]")
    with np.errstate(over="ignore"):
        features = np.ascontiguousarray(values, dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise InputError(
            f"{name}: {len(bad)} samples have features that are not finite in float32 (first: row {bad[0]}); "
            "fill them in, or leave these samples out"
        )
    return features


def _images(name: str, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return images [N, H, W], [N, H, W, C] or [N, C, H, W] as [N, C, H, W]."""
    right = (
        "must be uint8 images [N, H, W], [N, H, W, C] or [N, C, H, W] with 1 or 3 channels, "
        "or features [N, D]"
    )
    if values.dtype != np.uint8 or values.ndim not in (3, 4):
        raise InputError(f"{name}: values are {values.dtype} {list(values.shape)}; they {right}")
    if values.ndim == 3:
        values = values[:, np.newaxis]
    elif values.shape[1] not in (1, 3):
        values = values.transpose(0, 3, 1, 2)
    if values.shape[1] not in (1, 3) or min(values.shape[2:]) < MIN_PIXELS:
        raise InputError(
            f"{name}: images are [C, H, W] = {list(values.shape[1:])}; they {right}, of at least "
            f"{MIN_PIXELS} x {MIN_PIXELS} pixels"
        )
    return np.ascontiguousarray(values)


def _texts(values: npt.NDArray[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values.tolist())


def _one_of(arrays: Mapping[str, npt.NDArray[Any]], names: tuple[str, ...], path: Path) -> Any:
    present = [name for name in names if name in arrays]
    if len(present) > 1:
        raise InputError(f"{path}: has both {present[0]} and {present[1]}; keep one of them")
    return arrays[present[0]] if present else None
