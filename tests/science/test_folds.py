"""Folds are stratified, and keep groups together."""

import numpy as np
import pytest

from noisebench.science.folds import stratified_folds


def test_every_class_is_spread_evenly_and_folds_are_of_one_size() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [50, 23, 3])
    folds = stratified_folds(labels, np.arange(76), 5, rng)
    for label, low in ((0, 10), (1, 4), (2, 0)):
        counts = np.bincount(folds[labels == label], minlength=5)
        assert counts.min() >= low
        assert counts.max() <= low + 1
    assert np.ptp(np.bincount(folds)) <= 1


def test_a_group_is_never_divided() -> None:
    rng = np.random.default_rng(1)
    labels, groups = rng.integers(0, 3, 300), rng.integers(0, 100, 300)
    folds = stratified_folds(labels, groups, 4, rng)
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups.tolist()))
    counts = np.stack([np.bincount(folds[labels == label], minlength=4) for label in range(3)])
    assert np.ptp(counts, axis=1).max() <= 8
    assert np.ptp(np.bincount(folds)) <= 8


@pytest.mark.parametrize("samples", [5, 20])
def test_the_generator_chooses_the_members(samples: int) -> None:
    labels = np.zeros(samples, dtype=np.int64)
    first, same, other = (
        stratified_folds(labels, np.arange(samples), 5, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
