"""Folds of a cross-validation: stratified by class, groups whole."""

import numpy as np
from numpy.typing import NDArray


def stratified_folds(
    labels: NDArray[np.int64], groups: NDArray[np.int64], folds: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The fold, in 0..folds-1, of each sample [N]: its class is spread evenly, its group is never divided.

    Samples with equal entries in `groups` [N] get one fold. Groups of several samples come first, the largest
    before the others, each to the fold that has fewest samples of its classes; then single samples to the
    fold with fewest of their class. Ties go to the smallest fold, then to the lowest number. The order within
    one size and within one class is random.
    """
    _, classes = np.unique(labels, return_inverse=True)
    counts = np.zeros((folds, classes.max(initial=0) + 1), dtype=np.int64)
    order = rng.permutation(len(labels))
    _, group_of, sizes = np.unique(groups[order], return_inverse=True, return_counts=True)
    fold_of = np.empty(len(labels), dtype=np.int64)
    together = np.flatnonzero(sizes[group_of] > 1)
    by_size = together[np.lexsort((group_of[together], -sizes[group_of[together]]))]
    boundaries = np.flatnonzero(np.diff(group_of[by_size])) + 1
    for positions in np.split(by_size, boundaries) if len(by_size) else []:
        members = order[positions]
        of_classes = counts[:, np.unique(classes[members])].sum(axis=1)
        fold = min(range(folds), key=lambda each: (of_classes[each], counts[each].sum(), each))
        fold_of[members] = fold
        np.add.at(counts[fold], classes[members], 1)
    singles = order[sizes[group_of] == 1]
    _deal(singles[np.argsort(classes[singles], kind="stable")], classes, counts, fold_of)
    return fold_of


def _deal(
    singles: NDArray[np.int64],
    classes: NDArray[np.int64],
    counts: NDArray[np.int64],
    fold_of: NDArray[np.int64],
) -> None:
    """Fill `fold_of` for single samples, sorted by class; `counts` [folds, classes] are those before."""
    totals = counts.sum(axis=1).tolist()
    for members in np.split(singles, np.flatnonzero(np.diff(classes[singles])) + 1) if len(singles) else []:
        of_class = counts[:, classes[members[0]]].tolist()
        dealt = []
        for _ in members:
            fold = min(range(len(totals)), key=lambda each: (of_class[each], totals[each], each))
            of_class[fold] += 1
            totals[fold] += 1
            dealt.append(fold)
        fold_of[members] = dealt
