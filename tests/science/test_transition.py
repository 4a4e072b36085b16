"""HOC: frequencies by hand, a matrix recovered from drawn labels."""

import numpy as np
import pytest
import torch

from noisebench.errors import InputError
from noisebench.science import transition

MATRIX = np.array([[0.8, 0.2, 0.0], [0.1, 0.7, 0.2], [0.0, 0.1, 0.9]])
PRIOR = np.array([0.5, 0.3, 0.2])


def test_agreement_by_hand() -> None:
    found = transition.agreement(np.array([0, 0, 1, 0]), np.array([[0, 1], [1, 1], [1, 0], [0, 1]]), 2)
    assert found.one.tolist() == [0.75, 0.25]
    assert found.two.tolist() == [[0.5, 0.25], [0.0, 0.25]]
    assert found.three.tolist() == [[[0.0, 0.5], [0.0, 0.25]], [[0.0, 0.0], [0.25, 0.0]]]


def test_expected_frequencies_are_sums_over_the_true_class() -> None:
    parts = transition.expected(torch.from_numpy(MATRIX), torch.from_numpy(PRIOR))
    one, two, three = (part.numpy() for part in parts)
    for i in range(3):
        assert one[i] == pytest.approx(sum(PRIOR[c] * MATRIX[c, i] for c in range(3)))
        for j in range(3):
            pair = [PRIOR[c] * MATRIX[c, i] * MATRIX[c, j] for c in range(3)]
            assert two[i, j] == pytest.approx(sum(pair))
            for k in range(3):
                assert three[i, j, k] == pytest.approx(sum(pair[c] * MATRIX[c, k] for c in range(3)))


def test_a_matrix_is_recovered_from_its_frequencies() -> None:
    parts = transition.expected(torch.from_numpy(MATRIX), torch.from_numpy(PRIOR))
    matrix, prior = transition.estimate(transition.Agreement(*(part.numpy() for part in parts)))
    np.testing.assert_allclose(matrix, MATRIX, atol=0.02)
    np.testing.assert_allclose(prior, PRIOR, atol=0.02)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)


def test_a_matrix_is_recovered_from_drawn_labels() -> None:
    rng = np.random.default_rng(0)
    true = rng.choice(3, 20_000, p=PRIOR)
    drawn = np.stack(
        [(rng.random(len(true))[:, None] > MATRIX[true].cumsum(axis=1)).sum(1) for _ in range(3)]
    )
    matrix, prior = transition.estimate(transition.agreement(drawn[0], drawn[1:].T, 3))
    np.testing.assert_allclose(matrix, MATRIX, atol=0.05)
    np.testing.assert_allclose(prior, PRIOR, atol=0.03)


def test_one_sample_and_other_shapes() -> None:
    matrix, prior = transition.estimate(transition.agreement(np.array([1]), np.array([[1, 1]]), 2))
    assert np.isfinite(matrix).all()
    assert prior[1] > 0.9
    with pytest.raises(InputError, match=r"neighbour labels \[1, 3\] must be \[N, 2\]"):
        transition.agreement(np.array([1]), np.array([[1, 1, 0]]), 2)
