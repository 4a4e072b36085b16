"""Samples with equal content: in different folds, a model would have seen what it judges."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def fold_groups(contents: Sequence[Hashable], groups: Indices | None) -> Indices:
    """Return a group int64 [N] for each sample: equal for equal contents, and for equal entries in `groups`.

    A group is named by its first row.
    """
    first = _first_rows(contents)
    if groups is None:
        return first
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rows, others = np.arange(len(first)), _first_rows(groups.tolist())
    ones = np.ones(2 * len(rows), dtype=np.int8)
    edges = (np.concatenate([rows, rows]), np.concatenate([first, others]))
    _, component = connected_components(coo_matrix((ones, edges), (len(rows), len(rows))), directed=False)
    return _first_rows(component.tolist())


def conflicts(contents: Sequence[Hashable], labels: Indices) -> list[tuple[int, int]]:
    """Return (row, first row) of each sample whose content occurs before it with another label."""
    first = _first_rows(contents)
    different = np.flatnonzero(labels != labels[first])
    return [(int(row), int(first[row])) for row in different]


def _first_rows(keys: Sequence[Hashable]) -> Indices:
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(key, row) for row, key in enumerate(keys)], dtype=np.int64)
