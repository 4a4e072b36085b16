"""Printed gradients against autograd, distances by hand."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import ttest_ind

from noisebench.catalogue.losses import LOSSES
from noisebench.errors import InputError
from noisebench.science import dynamics

P = np.array([1e-30, 1e-9, 1e-3, 0.02, 0.03, 0.4, 0.9, 0.999])


@pytest.mark.parametrize(
    ("loss", "parameters", "form"),
    [
        ("CE", {}, {}),
        ("FL", {"gamma": 2.0}, {}),
        ("GCE", {"q": 0.7}, {}),
        ("BL", {"gamma": 0.7}, {"form": "printed"}),
        ("BL", {"gamma": 0.05}, {"form": "printed"}),
        ("PZ", {"c": 0.025}, {}),
    ],
)
def test_gradients_equal_autograd_of_the_printed_losses(
    loss: str, parameters: dict[str, Any], form: dict[str, str]
) -> None:
    # Two classes with logits (log p - log(1-p), 0): dL/dz = dL/dp p (1 - p).
    z = torch.tensor(np.log(P) - np.log1p(-P), requires_grad=True)
    logits = torch.stack([z, torch.zeros_like(z)], dim=1)
    LOSSES[loss].load()(logits, torch.zeros(len(P), dtype=torch.int64), **parameters, **form).sum().backward()
    assert z.grad is not None
    expected = z.grad.numpy() / (P * (1 - P))
    np.testing.assert_allclose(dynamics.probability_gradient(loss, P, parameters), expected, rtol=1e-9)


def test_the_printed_gradient_of_bl_does_not_depend_on_the_form() -> None:
    printed = dynamics.probability_gradient("BL", P, {"gamma": 0.7, "form": "printed"})
    detached = dynamics.probability_gradient("BL", P, {"gamma": 0.7, "form": "detached"})
    np.testing.assert_array_equal(printed, detached)
    # It changes its sign at p = exp(-1/gamma): below it the loss pushes the label's probability down.
    assert ((printed > 0) == (np.exp(-1 / 0.7) > P)).all()


@pytest.mark.parametrize(
    ("loss", "parameters"),
    [("CE", {}), ("FL", {"gamma": 2.0}), ("GCE", {"q": 0.7}), ("BL", {"gamma": 0.1}), ("PZ", {"c": 0.0})],
)
def test_gradients_are_finite_from_zero_to_one(loss: str, parameters: dict[str, Any]) -> None:
    p = np.array([0.0, 1e-45, 1.0], dtype=np.float32)
    gradient = dynamics.probability_gradient(loss, p, parameters)
    assert gradient.dtype == np.float64
    assert np.isfinite(gradient).all()


def test_a_loss_without_a_printed_gradient_is_refused() -> None:
    with pytest.raises(InputError, match="not known for loss ANL-CE; known: CE, FL, GCE, BL, PZ"):
        dynamics.probability_gradient("ANL-CE", P, {})


def test_group_quantiles_by_hand() -> None:
    values = np.array([1.0, 10.0, 2.0, 20.0, 3.0], dtype=np.float32)
    wrong = np.array([False, True, False, True, False])
    groups = dynamics.group_quantiles(values, wrong, [0.0, 0.5, 1.0])
    assert groups["wrong"].tolist() == [10.0, 15.0, 20.0]
    assert groups["right"].tolist() == [1.0, 2.0, 3.0]


def test_an_empty_group_has_no_quantiles() -> None:
    groups = dynamics.group_quantiles(np.ones(3), np.zeros(3, dtype=np.bool_), [0.25, 0.75])
    np.testing.assert_array_equal(groups["wrong"], [np.nan, np.nan])
    assert groups["right"].tolist() == [1.0, 1.0]


def test_cohens_d_by_hand_and_against_the_t_statistic() -> None:
    assert dynamics.cohens_d(np.array([3.0, 5.0]), np.array([0.0, 2.0])) == pytest.approx(3 / math.sqrt(2))
    rng = np.random.default_rng(0)
    right, wrong = rng.normal(1, 2, 90), rng.normal(0, 1, 40)
    t = ttest_ind(right, wrong).statistic
    assert dynamics.cohens_d(right, wrong) == pytest.approx(t * math.sqrt(1 / 90 + 1 / 40))


def test_wasserstein_by_hand() -> None:
    assert dynamics.wasserstein(np.array([1.0, 3.0]), np.array([5.0, 6.0])) == pytest.approx(3.5)


def test_distances_without_a_group_are_nan() -> None:
    assert math.isnan(dynamics.cohens_d(np.ones(5), np.ones(1)))
    assert math.isnan(dynamics.wasserstein(np.ones(5), np.ones(0)))
