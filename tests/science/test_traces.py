"""Scores of traces by hand and on planted errors."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from noisebench.errors import InputError
from noisebench.science import traces
from noisebench.science.metrics import ranking_metrics

if TYPE_CHECKING:
    from tests.science.conftest import PlantedDigits

# Three samples over four epochs, in order of epochs: right throughout; forgotten once; never learnt.
LABELS = np.array([0, 1, 2])
PREDICTED = np.array([[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 0, 1]])
P = np.array([[0.5, 0.7, 0.9, 0.9], [0.2, 0.6, 0.4, 0.6], [0.1, 0.1, 0.2, 0.2]])
LOSSES = -np.log(P)
MEAN = LOSSES.mean(axis=1)
BROKEN_TIE = MEAN / (1 + MEAN)


def test_losses_by_hand() -> None:
    losses = np.array([[1.0, 3.0], [0.5, 0.0]], dtype=np.float32)
    assert traces.mean_loss(losses).tolist() == [2.0, 0.25]
    assert traces.mean_loss(losses, skip_epochs=1).tolist() == [3.0, 0.0]
    assert traces.last_loss(losses).tolist() == [3.0, 0.0]
    assert traces.last_loss(losses, epochs=9).tolist() == [2.0, 0.25]
    expected = [(np.log(2.5) + np.log(8.5)) / 2, np.log(1.625) / 2]
    assert traces.robust_loss_mean(losses) == pytest.approx(expected)


def test_the_score_of_o2u_has_the_order_of_the_mean_loss() -> None:
    losses = np.random.default_rng(0).exponential(size=(50, 8))
    normalised = (losses - losses.mean(axis=0)).sum(axis=1)
    np.testing.assert_array_equal(np.argsort(normalised), np.argsort(traces.mean_loss(losses)))


def test_data_maps_by_hand() -> None:
    assert traces.confidence(LOSSES) == pytest.approx([0.25, 0.55, 0.85])
    # Deviations from the mean 0.15 are all 0.05; of [0.2, 0.6, 0.4, 0.6] the variance is 0.0275.
    assert traces.variability(LOSSES)[1:] == pytest.approx([np.sqrt(0.0275), 0.05])
    assert traces.correctness(LABELS, PREDICTED, LOSSES) == pytest.approx(np.add([0, 2, 4], BROKEN_TIE))


def test_forgetting_by_hand() -> None:
    assert traces.forgetting(LABELS, PREDICTED, LOSSES) == pytest.approx(np.add([0, 1, 4], BROKEN_TIE))


def test_first_learned_by_hand() -> None:
    assert traces.first_learned(LABELS, PREDICTED, LOSSES) == pytest.approx(np.add([1, 2, 5], BROKEN_TIE))
    later = np.array([[1, 0, 0, 0], [1, 0, 1, 1], [0, 2, 1, 2]])
    expected = np.add([2, 3, 5], BROKEN_TIE)
    assert traces.first_learned(LABELS, later, LOSSES, k=2) == pytest.approx(expected)
    assert traces.first_learned(LABELS, later, LOSSES, k=9) == pytest.approx(5 + BROKEN_TIE)


def test_margins_errors_and_norms_by_hand() -> None:
    assert traces.mean_margin(np.array([[1.0, -3.0], [2.0, 4.0]])).tolist() == [1.0, -3.0]
    errors, norms = np.array([[4.0, 1.0]]), np.array([[8.0, 3.0]])
    assert traces.el2n(errors, epoch=1).tolist() == [2.0]
    assert traces.el2n(errors).tolist() == [1.0]
    assert traces.grand(errors, norms, epoch=1).tolist() == [6.0]
    assert traces.grand(errors, norms).tolist() == [2.0]
    assert traces.tracin(errors, norms).tolist() == [40.0]
    assert traces.tracin(errors, norms, np.array([0.5, 0.25])).tolist() == [19.0]


def test_the_gradient_of_a_last_layer_has_this_norm() -> None:
    import torch

    h, label = torch.tensor([[0.3, -1.2, 2.0]]), torch.tensor([1])
    layer = torch.nn.Linear(3, 4)
    p = layer(h).softmax(1)
    torch.nn.functional.cross_entropy(layer(h), label).backward()
    assert layer.weight.grad is not None
    assert layer.bias.grad is not None
    norm = (layer.weight.grad.square().sum() + layer.bias.grad.square().sum()).sqrt().item()
    error = (p - torch.nn.functional.one_hot(label, 4)).square().sum(1, keepdim=True).detach().numpy()
    assert traces.grand(error, h.square().sum(1, keepdim=True).numpy()) == pytest.approx([norm], rel=1e-5)


def test_equal_counts_are_ordered_by_mean_loss() -> None:
    predicted = np.zeros((3, 2), dtype=np.int64)
    losses = np.array([[1.0, 1.0], [1e4, 1e4], [0.0, 0.0]])
    for score in (traces.correctness, traces.forgetting, traces.first_learned):
        suspicion = score(np.ones(3, dtype=np.int64), predicted, losses)
        assert np.argsort(suspicion).tolist() == [2, 0, 1]
        # The mean loss never changes the count.
        assert len(set(np.floor(suspicion))) == 1


SCORES = [
    traces.mean_loss,
    traces.last_loss,
    traces.robust_loss_mean,
    traces.confidence,
    traces.correctness,
    traces.mean_margin,
    traces.forgetting,
    traces.first_learned,
    traces.el2n,
    traces.grand,
    traces.tracin,
]


def _arguments(score: Any, available: dict[str, Any]) -> dict[str, Any]:
    return {name: available[name] for name in inspect.signature(score).parameters if name in available}


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)
def test_planted_errors_rank_high(
    planted_digits: PlantedDigits, digit_traces: dict[str, np.ndarray], score: Any
) -> None:
    available = {**digit_traces, "labels": planted_digits.labels}
    suspicion = score(**_arguments(score, available))
    assert suspicion.dtype == np.float64
    assert ranking_metrics(suspicion, planted_digits.wrong)["auroc"] >= 0.9


@pytest.mark.parametrize("score", [*SCORES, traces.variability], ids=lambda score: score.__name__)
def test_samples_that_were_not_seen_are_not_judged(score: Any) -> None:
    trace = np.array([[0.5, np.nan], [0.5, 1.0]])
    names = ("losses", "margins", "squared_errors", "squared_norms")
    available = {**dict.fromkeys(names, trace), "labels": LABELS[:2], "predicted": PREDICTED[:2, :2]}
    suspicion = score(**_arguments(score, available))
    assert np.isnan(suspicion).tolist() == [True, False]


@pytest.mark.parametrize("score", [*SCORES, traces.variability], ids=lambda score: score.__name__)
def test_one_sample_and_one_epoch_are_enough(score: Any) -> None:
    names = ("losses", "margins", "squared_errors", "squared_norms")
    available = {
        **dict.fromkeys(names, np.ones((1, 1))),
        "labels": LABELS[:1],
        "predicted": PREDICTED[:1, :1],
    }
    assert np.isfinite(score(**_arguments(score, available))).tolist() == [True]


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match=r"a trace \[3\] must be \[N, E\]"):
        traces.mean_loss(np.zeros(3))
    with pytest.raises(InputError, match=r"a trace \[3, 0\]"):
        traces.mean_margin(np.zeros((3, 0)))
    with pytest.raises(InputError, match=r"predicted \[3, 4\] and labels \[2\] do not fit losses \[3, 4\]"):
        traces.forgetting(LABELS[:2], PREDICTED, LOSSES)
    with pytest.raises(InputError, match="skip_epochs 4 must be at least 0 and below the 4 epochs"):
        traces.mean_loss(LOSSES, skip_epochs=4)
    with pytest.raises(InputError, match="k 0 must be at least 1"):
        traces.first_learned(LABELS, PREDICTED, LOSSES, k=0)
    with pytest.raises(InputError, match="epoch 0 must be at least 1"):
        traces.el2n(LOSSES, epoch=0)
