"""Observations during a training."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from noisebench.science.corruption import transition_counts
from noisebench.training import traces
from noisebench.training.traces import TraceWatcher
from noisebench.training.watchers import QUANTILES, DynamicsWatcher
from noisebench.trial.measurement import measure
from tests.trials import trial_of

CPU = torch.device("cpu")


def test_traces_in_passing_are_each_samples_values_at_its_step() -> None:
    names = ("losses", "margins", "predicted", "squared_errors")
    watcher = TraceWatcher(4, 2, names, CPU)
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 1, 2, 0])
    watcher(1, logits[[2, 0]], targets[[2, 0]], torch.tensor([2, 0]))
    traces = {name: watcher.result()[f"in-passing.{name}"] for name in names}
    probabilities, given = logits.softmax(1)[[0, 2]], torch.eye(3)[targets[[0, 2]]]
    assert torch.allclose(traces["losses"][[0, 2], 1], -(probabilities * given).sum(1).log())
    others = logits[[0, 2]].masked_fill(given.bool(), -torch.inf).amax(1)
    assert torch.allclose(traces["margins"][[0, 2], 1], (logits[[0, 2]] * given).sum(1) - others)
    assert torch.allclose(traces["squared_errors"][[0, 2], 1], ((probabilities - given) ** 2).sum(1))
    assert traces["predicted"][[0, 2], 1].tolist() == logits[[0, 2]].argmax(1).tolist()
    assert traces["losses"][:, 0].tolist() == [0, 0, 0, 0]
    assert watcher.result()["predicted"][[0, 2]].tolist() == logits[[0, 2]].argmax(1).tolist()


def test_batches_are_traced_as_they_were_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    # A captured step writes each batch's logits into the same memory. The state is asked for at any time.
    names, targets = ("losses", "margins"), torch.tensor([0, 1, 2, 0, 1, 2])
    logits = torch.randn(2, 3, 2, 3, generator=torch.Generator().manual_seed(0))

    def traced(together: int, *, asked: bool) -> dict[str, torch.Tensor]:
        monkeypatch.setattr(traces, "_TRACED_TOGETHER", together)
        watcher, memory = TraceWatcher(6, 2, names, CPU), torch.empty(2, 3)
        for epoch, begin in product(range(2), range(0, 6, 2)):
            batch = torch.arange(begin, begin + 2)
            watcher(epoch, memory.copy_(logits[epoch, begin // 2]), targets[batch], batch)
            if asked:
                watcher.state()
        return watcher.result()

    alone = traced(1, asked=False)
    for together, asked in product((3, 4, 100), (False, True)):
        found = traced(together, asked=asked)
        assert all(torch.equal(found[name], alone[name]) for name in alone), (together, asked)
    assert torch.equal(alone["predicted"], logits[1].reshape(6, 3).argmax(1))


def test_dynamics_are_quantiles_of_p_and_of_the_printed_gradient() -> None:
    wrong = np.array([True, False, False, True])
    watcher = DynamicsWatcher("BL", {"gamma": 0.5}, 1, wrong, CPU)
    p = torch.tensor([0.1, 0.9, 0.8])
    logits = torch.stack([p.log(), (1 - p).log()], 1)
    watcher(0, logits, torch.zeros(3, dtype=torch.long), torch.tensor([0, 1, 2]))  # sample 3 is held out
    quantiles = watcher.quantiles(epoch=1)
    assert quantiles["levels"] == list(QUANTILES)
    assert quantiles["probability"]["wrong"] == pytest.approx([0.1] * len(QUANTILES))
    assert quantiles["probability"]["right"][0] == pytest.approx(0.8)
    assert quantiles["probability"]["right"][-1] == pytest.approx(0.9)
    assert quantiles["gradient"]["wrong"][0] == pytest.approx(
        -(0.1**-0.5) * (1 + 0.5 * np.log(0.1)), rel=1e-5
    )
    before_delay = watcher.quantiles(epoch=0)
    assert before_delay["gradient"]["wrong"][0] == pytest.approx(-10, rel=1e-5)


def test_dynamics_are_recorded_on_request() -> None:
    rows = measure(trial_of("{name: BL, gamma: 0.4}", more="dynamics: true"), None, CPU).epochs
    assert [(row["fold"], row["epoch"]) for row in rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for row in rows:
        assert row["held_out_loss"] > 0
        assert set(row["quantiles"]) == {"levels", "probability", "gradient"}
        quantiles = row["quantiles"]["probability"]["right"]
        assert quantiles == sorted(quantiles)
    assert all("quantiles" not in row for row in measure(trial_of(), None, CPU).epochs)


@pytest.mark.slow
@pytest.mark.data
def test_without_folds_the_held_out_loss_uses_the_test_part(real_data: Path) -> None:
    trial = trial_of(
        dataset="{name: MNIST, samples: 200}",
        detector="none",
        training="{epochs: 2, batch_size: 128, input_scale: unit}",
        more="dynamics: true",
    )
    assert all(1 < row["held_out_loss"] < 3 for row in measure(trial, real_data, CPU).epochs)
    without_test_part = trial_of(detector="none", more="dynamics: true")
    assert all(row["held_out_loss"] is None for row in measure(without_test_part, None, CPU).epochs)


def test_a_loss_without_a_printed_gradient_has_no_gradient_quantiles() -> None:
    rows = measure(trial_of("MAE", more="dynamics: true"), None, CPU).epochs
    assert all("gradient" not in row["quantiles"] for row in rows)


@pytest.mark.parametrize(
    "detector",
    [
        pytest.param("ctrl", marks=pytest.mark.slow),
        pytest.param("small-loss", marks=pytest.mark.slow),
        "{name: small-loss, share: 0.2}",
    ],
)
def test_loss_curve_detectors_find_wrong_labels(detector: str) -> None:
    trial = trial_of(dataset="{name: digits, samples: 900}", detector=detector, training="{epochs: 10}")
    measured = measure(trial, None, CPU)
    assert measured.result["guard"] is None
    assert measured.result["f1"] > 0.6
    assert measured.result["clean_accuracy"] > 0.6
    if "share" in detector:
        assert measured.result["flagged"] == 180


def test_without_a_detector_nothing_is_flagged() -> None:
    measured = measure(trial_of(detector="none"), None, CPU)
    assert "f1" not in measured.result
    assert "flagged" not in measured.samples
    assert measured.result["wrong_labels"] > 0


@pytest.mark.slow
def test_aum_reports_the_distance_between_right_and_wrong_labels() -> None:
    result = measure(trial_of(dataset="digits", detector="aum", training="{epochs: 6}"), None, CPU).result
    assert result["cohens_d"] > 0.5
    assert result["wasserstein"] > 0


def test_the_record_holds_the_realised_transitions() -> None:
    measured = measure(trial_of(dataset="digits", rate="0.3"), None, CPU)
    counts = np.array(json.loads(measured.result["transition"]))
    samples = measured.samples
    assert np.array_equal(counts, transition_counts(samples["true_label"], samples["given_label"], 10))
    assert 1 - np.trace(counts) / counts.sum() == pytest.approx(measured.result["realised_rate"])
