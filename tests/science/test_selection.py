"""Selection by lower bounds: by hand, and beside scikit-learn."""

import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import LocalOutlierFactor

from noisebench.science import selection


def test_the_share_left_out_grows_to_the_rate() -> None:
    shares = [selection.forget_share(epoch, 0.4, 5) for epoch in range(7)]
    assert shares == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    assert selection.forget_share(0, 0.4, 1) == 0


def test_the_smallest_are_selected_and_never_none() -> None:
    values = torch.tensor([[3.0, 1.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    assert selection.smallest(values, 0.5).tolist() == [
        [False, True, False, True],
        [True, True, False, False],
    ]
    assert selection.smallest(values, 0.3).sum(1).tolist() == [2, 2]  # floor of 2.8
    assert selection.smallest(values, 0.99).sum(1).tolist() == [1, 1]


def test_the_soft_bound_by_hand() -> None:
    bound = selection.soft_bound(torch.tensor([[0.0, 2.0]]), torch.tensor([3.0]), 0.5)
    expected = (0 + math.log(5)) / 2 - 0.5 * (2 + 0.5 * math.log(4) / 4) / (3 - 0.5)
    assert bound.tolist() == pytest.approx([expected])


def test_the_hard_bound_by_hand() -> None:
    few = selection.hard_bound(torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([4.0]), 1e-2, 2.0)
    width = 2 * math.sqrt(0.02) * 2 * 3 * math.sqrt(math.log(12) / 4) / (3 * math.sqrt(3))
    assert few.tolist() == pytest.approx([4 - width])
    many = selection.hard_bound(torch.tensor([[1.0, 1.1, 9.0, 1.2, 1.3]]), torch.tensor([4.0]), 1e-2, 2.0)
    width = 2 * math.sqrt(0.02) * 2 * (5 + math.sqrt(2)) * math.sqrt(math.log(20) / 4) / (4 * math.sqrt(5))
    assert many.tolist() == pytest.approx([(1 + 1.1 + 1.2 + 1.3) / 4 - width])


def test_seldom_selected_samples_have_lower_bounds() -> None:
    losses, selected = torch.full((2, 7), 0.5) + torch.arange(7) / 100, torch.tensor([1.0, 50.0])
    for bound in (
        selection.soft_bound(losses, selected, 0.1),
        selection.hard_bound(losses, selected, 1e-2, 2.0),
    ):
        assert bound[0] < bound[1]


def test_outlier_factors_are_those_of_scikit_learn() -> None:
    losses = np.random.default_rng(0).exponential(size=(20, 7))
    found = selection.outlier_factors(torch.from_numpy(losses)).numpy()
    for row, factors in zip(losses, found, strict=True):
        reference = LocalOutlierFactor(n_neighbors=2).fit(row[:, np.newaxis])
        assert factors == pytest.approx(-reference.negative_outlier_factor_)
