"""Rules on traces by hand and on planted errors."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from noisebench.errors import InputError
from noisebench.science import trace_rules
from noisebench.science.metrics import detection_metrics, ranking_metrics

if TYPE_CHECKING:
    from tests.science.conftest import PlantedDigits

RULES = [
    trace_rules.find_dividemix,
    trace_rules.find_selnlpl,
    trace_rules.find_hard_to_learn,
    trace_rules.find_selfie,
    trace_rules.find_crssc,
]


def test_dividemix_fits_one_epoch() -> None:
    rng = np.random.default_rng(0)
    last = np.concatenate([rng.normal(1, 0.2, 90), rng.normal(5, 0.5, 10)])
    losses = np.stack([rng.permutation(last), last, rng.permutation(last)], axis=1)
    assert np.flatnonzero(trace_rules.find_dividemix(losses, warm_up=2).flagged).tolist() == list(
        range(90, 100)
    )
    assert trace_rules.find_dividemix(losses[:, :2]).suspicion.tolist() == last.tolist()
    two = trace_rules.find_dividemix(losses, epochs=2).suspicion
    assert two == pytest.approx(losses[:, 1:].mean(axis=1))


def test_dividemix_flags_what_the_posterior_says() -> None:
    """Against the posterior of the two Gaussians, from their fitted parameters."""
    from scipy.stats import norm
    from sklearn.mixture import GaussianMixture

    losses = np.random.default_rng(1).gamma(1.0, size=300)
    scaled = ((losses - losses.min()) / np.ptp(losses))[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=0).fit(scaled)
    density = [
        weight * norm.pdf(scaled[:, 0], mean, np.sqrt(variance))
        for weight, mean, variance in zip(
            fit.weights_, fit.means_.ravel(), fit.covariances_.ravel(), strict=True
        )
    ]
    low = int(fit.means_.argmin())
    expected = density[low] / (density[0] + density[1]) <= 0.5
    assert 0 < expected.sum() < 300
    np.testing.assert_array_equal(trace_rules.find_dividemix(losses[:, None]).flagged, expected)


def test_selnlpl_by_hand() -> None:
    # The last ten of twelve epochs count: their means are 0.5, 0.4 and 0.6.
    p = np.full((3, 12), 0.9)
    p[0, 2:], p[1, 2:], p[2, 2:] = 0.5, 0.4, 0.6
    detection = trace_rules.find_selnlpl(-np.log(p))
    assert detection.flagged.tolist() == [False, True, False]
    assert detection.suspicion == pytest.approx([0.5, 0.6, 0.4])


def test_hard_to_learn_by_hand() -> None:
    # Low and steady; low on average but varying by 0.2; high.
    p = np.array([[0.1, 0.2], [1e-9, 0.4], [0.9, 0.9]])
    assert trace_rules.find_hard_to_learn(-np.log(p)).flagged.tolist() == [True, False, False]


def test_selfie_by_hand() -> None:
    # K = 2: fourteen of fifteen predictions alike have entropy 0.353, all alike 0.
    predicted = np.ones((4, 16), dtype=np.int64)
    predicted[:, 0] = 0
    predicted[1, 5] = 0
    labels, losses = np.array([0, 0, 1, 0]), np.ones((4, 16))
    losses[3, 3] = np.nan
    detection = trace_rules.find_selfie(labels, predicted, losses, 2)
    assert detection.flagged.tolist() == [True, False, False, False]
    assert detection.suspicion[:3] == pytest.approx([15.5, 14.5, 0.5])
    wider = trace_rules.find_selfie(labels, predicted, losses, 2, epsilon=0.36)
    assert wider.flagged.tolist() == [True, True, False, False]
    # All sixteen: the first prediction of class 0 gives an entropy of 0.337.
    assert not trace_rules.find_selfie(labels, predicted, losses, 2, history=99).flagged.any()


def test_crssc_by_hand() -> None:
    # Clean; distinct and another class; flat; distinct, but its own class is predicted.
    p = np.array([[0.9, 0.05, 0.05], [0.02, 0.96, 0.02], [0.3, 0.4, 0.3], [0.04, 0.95, 0.01]])
    labels = np.array([0, 0, 0, 0])
    hot = np.eye(3)[labels]
    errors = np.square(p - hot).sum(axis=1)[:, None]
    losses, predicted = -np.log(p[:, :1]), np.array([[0], [1], [1], [0]])
    detection = trace_rules.find_crssc(labels, predicted, losses, errors, 3)
    assert detection.flagged.tolist() == [False, True, False, False]
    assert detection.suspicion == pytest.approx(losses[:, 0])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_planted_errors_are_found(
    planted_digits: PlantedDigits, digit_traces: dict[str, np.ndarray], rule: Any
) -> None:
    available = {**digit_traces, "labels": planted_digits.labels, "classes": planted_digits.classes}
    detection = rule(**_arguments(rule, available))
    assert ranking_metrics(detection.suspicion, planted_digits.wrong)["auroc"] >= 0.9
    assert detection_metrics(detection.flagged, planted_digits.wrong)["f1"] >= 0.65


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("samples", [1, 2, 6])
def test_few_equal_samples_and_two_classes(rule: Any, samples: int) -> None:
    available = {
        "labels": np.zeros(samples, dtype=np.int64),
        "predicted": np.zeros((samples, 3), dtype=np.int64),
        "losses": np.full((samples, 3), 0.1),
        "squared_errors": np.full((samples, 3), 0.02),
        "classes": 2,
    }
    detection = rule(**_arguments(rule, available))
    assert not detection.flagged.any()
    assert np.isfinite(detection.suspicion).all()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_samples_that_were_not_seen_are_not_flagged(rule: Any) -> None:
    available = {
        "labels": np.zeros(3, dtype=np.int64),
        "predicted": np.array([[0], [1], [1]]),
        "losses": np.array([[0.05], [4.0], [np.nan]]),
        "squared_errors": np.array([[0.005], [1.93], [1.93]]),
        "classes": 2,
    }
    detection = rule(**_arguments(rule, available))
    assert detection.flagged.tolist() == [False, True, False]
    assert np.isnan(detection.suspicion).tolist() == [False, False, True]


def test_parameters_below_one_are_refused() -> None:
    labels, losses = np.zeros(2, dtype=np.int64), np.ones((2, 2))
    predicted = np.zeros((2, 2), dtype=np.int64)
    with pytest.raises(InputError, match="warm_up 0 and epochs 1"):
        trace_rules.find_dividemix(losses, warm_up=0)
    with pytest.raises(InputError, match="history 0"):
        trace_rules.find_selfie(labels, predicted, losses, 2, history=0)
    with pytest.raises(InputError, match="epochs 0"):
        trace_rules.find_crssc(labels, predicted, losses, losses, 2, epochs=0)


def _arguments(rule: Any, available: dict[str, Any]) -> dict[str, Any]:
    return {name: available[name] for name in inspect.signature(rule).parameters if name in available}
