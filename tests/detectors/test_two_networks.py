"""Two networks that select for each other: compared with a plain loop, resumed, in other modes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from noisebench.data.datasets import load_dataset
from noisebench.detectors import two_networks
from noisebench.detectors.two_networks import ForgetRate, PeerSelection
from noisebench.records.checkpoints import Checkpoints
from noisebench.science import selection
from noisebench.science.evidence import Evidence
from noisebench.sweep.cost import OVERHEAD_SECONDS, catalogued_seconds
from noisebench.sweep.trial import Trial
from noisebench.training.modes import OVERRIDE
from noisebench.training.surrogate import Surrogate, isolated_torch
from noisebench.trial.measurement import measure
from tests.training.test_resume import Stopped, StoppingCheckpoints, equal
from tests.trials import trial_of

CPU = torch.device("cpu")
CO_TEACHING = "{name: co-teaching, rate: 0.3, gradual: 2}"
DETECTORS = {
    "co-teaching": CO_TEACHING,
    "estimated": "{name: co-teaching, gradual: 3}",
    "cnlcu-s": "{name: cnlcu-s, rate: 0.3, gradual: 2, window: 2}",
    "cnlcu-h": "{name: cnlcu-h, rate: 0.3, gradual: 2, window: 5}",
}


def trial(detector: str, training: str = "{epochs: 3, batch_size: 64}") -> Trial:
    return trial_of(
        "{name: BL, gamma: 0.4}", dataset="{name: digits, samples: 200}", detector=detector, training=training
    )


def surrogate_of(trial: Trial) -> Surrogate:
    return Surrogate.of(trial, load_dataset(trial.dataset, None), CPU, Checkpoints(), None)


def plain_co_teaching(surrogate: Surrogate) -> tuple[list[nn.Module], Tensor]:
    """Co-teaching as its authors write it; return the networks and the mean losses in passing [N, E]."""
    trial, targets = surrogate.trial, torch.from_numpy(surrogate.given)
    models = [surrogate.fresh_model(fit, 10) for fit in range(2)]
    optimizers = [torch.optim.Adam(model.parameters(), trial.training.learning_rate) for model in models]
    seen = torch.zeros(len(targets), 3)
    for epoch in range(3):
        order = torch.randperm(
            len(targets), generator=torch.Generator().manual_seed(trial.seed_for("batches", 0, epoch))
        )
        for batch in order.split(64):
            logits = [model.train()(surrogate.training.plain_batch(batch)) for model in models]
            losses = [functional.cross_entropy(each, targets[batch], reduction="none") for each in logits]
            seen[batch, epoch] = (losses[0] + losses[1]).detach() / 2
            kept = int((1 - [0, 0.3, 0.3][epoch]) * len(batch))
            chosen = [each.argsort()[:kept] for each in losses]
            for own, other, optimizer in zip(logits, reversed(chosen), optimizers, strict=True):
                loss = surrogate.objective.per_sample(own[other], targets[batch][other], epoch).mean()
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
    return models, seen


@pytest.mark.slow
def test_each_network_learns_what_the_other_one_selects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.Dropout, "forward", lambda _, inputs: inputs)
    monkeypatch.setattr("noisebench.science.stacked._Dropout.forward", lambda _, inputs: inputs)
    co_teaching = trial(CO_TEACHING)
    with isolated_torch(CPU):
        found = two_networks.gather_co_teaching(surrogate_of(co_teaching), {})
        models, losses = plain_co_teaching(surrogate := surrogate_of(co_teaching))
        probabilities = [surrogate.probabilities(model) for model in models]
    assert found.in_passing is not None
    assert found.in_passing.losses is not None
    assert np.allclose(found.in_passing.losses, losses.numpy(), atol=1e-4)
    assert np.array_equal(found.predicted, (probabilities[0] + probabilities[1]).argmax(1).numpy())
    assert found.forget_rate is not None
    assert found.forget_rate.tolist() == [0.3]


def test_bounds_are_computed_from_the_last_losses_oldest_first() -> None:
    seen = []

    def bound(losses: Tensor, selected: Tensor) -> Tensor:
        seen.append((losses.clone(), selected.clone()))
        return losses[..., -1]

    peers = PeerSelection(2, ForgetRate(0.5, 1), 2, bound, CPU)
    batch = torch.tensor([[0, 1], [0, 1]])
    wanted = [[0.1, 1.0], [0.2, 2.0], [3.0, 0.3]]
    for epoch, losses in enumerate(wanted):
        # With two classes and label 0, the loss is ln(1 + exp(-z)).
        z = -torch.log(torch.expm1(torch.tensor(losses)))
        logits = torch.stack([z, torch.zeros(2)], 1).expand(2, 2, 2)
        chosen = peers.choose(epoch, logits, torch.zeros(2, 2, dtype=torch.int64), batch)
    assert torch.allclose(seen[0][0], torch.tensor(wanted[:1]).T.expand(2, 2, 1))
    assert torch.allclose(seen[2][0], torch.tensor(wanted[1:]).T.expand(2, 2, 2))
    # Nothing is left out in epoch 0; sample 0 is selected in epoch 1, sample 1 in epoch 2.
    assert [of_both[1][0].tolist() for of_both in seen] == [[1, 1], [2, 2], [3, 2]]
    assert chosen.tolist() == [[False, True], [False, True]]


def test_each_network_trains_on_the_selection_of_the_other() -> None:
    peers = PeerSelection(2, ForgetRate(0.5, 1), 1, selection.last_loss, CPU)
    logits = torch.tensor([[[5.0, 0.0], [0.0, 5.0]], [[0.0, 5.0], [5.0, 0.0]]])
    batch, targets = torch.tensor([[0, 1], [0, 1]]), torch.zeros(2, 2, dtype=torch.int64)
    peers.choose(0, logits, targets, batch)
    assert peers.choose(1, logits, targets, batch).tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize(
    "name",
    [
        "estimated",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("co-teaching", "cnlcu-s", "cnlcu-h")),
    ],
)
def test_a_training_resumes_after_each_write(name: str, tmp_path: Path) -> None:
    expected = measure(trial(DETECTORS[name]), None, CPU)
    for writes in range(1, 5):  # two epochs and two finished networks
        folder = tmp_path / str(writes)
        with pytest.raises(Stopped):
            measure(trial(DETECTORS[name]), None, CPU, StoppingCheckpoints(folder, writes))
        resumed = measure(trial(DETECTORS[name]), None, CPU, Checkpoints(folder, epoch_seconds=0))
        assert equal(resumed, expected), writes
    assert expected.result["knows_rate"] == (name != "estimated")


def test_modes_that_cannot_select_are_left_out_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, "fp32 grouped")
    training = "{{epochs: 2, batch_size: 64, precision: {}}}"
    reference, fast = (
        measure(trial(CO_TEACHING, training.format(precision)), None, CPU)
        for precision in ("reference", "fast")
    )
    assert equal(fast, reference)
    assert fast.fast_path == "fp32; each step selects samples: eager, one model after another"


def test_the_estimated_rate_is_flagged() -> None:
    losses = np.r_[np.full(70, 0.1), np.full(30, 4.0)]
    evidence = Evidence(
        labels=np.zeros(100, dtype=np.int64),
        classes=2,
        predicted=np.zeros(100, dtype=np.int64),
        test_accuracies=np.empty(0),
        bounds=losses,
        forget_rate=np.array([0.25]),
    )
    judgement = two_networks.judge_by_bound(evidence, trial("{name: cnlcu-s, gradual: 1}").detector)
    assert judgement.detection is not None
    assert np.flatnonzero(judgement.detection.flagged).tolist() == list(range(70, 95))
    assert not judgement.knows_rate


def test_two_networks_cost_two_trainings() -> None:
    single, two = (
        catalogued_seconds(trial(detector), gpu=False) - OVERHEAD_SECONDS
        for detector in ("none", CO_TEACHING)
    )
    assert two == pytest.approx(2 * single)


def test_the_same_networks_train_whatever_the_rate_but_not_as_one_evidence() -> None:
    ids = {trial(detector).evidence_id for detector in DETECTORS.values()}
    assert len(ids) == len(DETECTORS)
