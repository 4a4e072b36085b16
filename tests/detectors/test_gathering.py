"""What trainings leave as evidence."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from noisebench.data.datasets import load_dataset
from noisebench.detectors import cross_validation, single_run
from noisebench.records.checkpoints import Checkpoints
from noisebench.science import neighbours
from noisebench.science.evidence import AFTER_EPOCH, Evidence
from noisebench.science.models import small_cnn
from noisebench.science.stacked import Stack
from noisebench.sweep.trial import Trial
from noisebench.training.surrogate import Surrogate, isolated_torch
from noisebench.training.traces import EpochTraces
from tests.trials import trial_of

CPU = torch.device("cpu")
FOLDS = "{name: confident-learning, folds: 2}"
TRACES = {
    **{f"in-passing.{name}": 1 for name in ("losses", "margins", "predicted", "squared_errors")},
    **{f"after-epoch.{name}": 1 for name in ("losses", "predicted", "squared_norms")},
}


def surrogate_of(trial: Trial, checkpoints: Checkpoints | None = None) -> Surrogate:
    dataset = load_dataset(trial.dataset, None)
    return Surrogate.of(trial, dataset, CPU, checkpoints or Checkpoints(), None)


def gathered(route: Any, trial: Trial, needs: dict[str, int]) -> Evidence:
    with isolated_torch(CPU):
        found: Evidence = route.gather(surrogate_of(trial), needs)
    return found


@pytest.mark.slow
def test_traces_after_the_epoch_are_those_of_all_samples_in_evaluation_mode() -> None:
    surrogate = surrogate_of(trial_of(detector="ctrl"))
    torch.manual_seed(0)
    (model,) = Stack([small_cnn((1, 8, 8), 10)], CPU).alone()
    traces = EpochTraces(surrogate, 2, ("losses", "predicted", "squared_errors", "squared_norms"))
    traces.after_epoch(1, model.train())
    with torch.no_grad():
        inputs = surrogate.judged.plain_batch(torch.arange(400))
        layers = model.eval().stack._layers
        features = layers[:-1](inputs)
        logits = model(inputs)
    targets = torch.from_numpy(surrogate.given)
    found = {name.removeprefix(f"{AFTER_EPOCH}."): trace[:, 1] for name, trace in traces.result().items()}
    assert torch.allclose(found["losses"], functional.cross_entropy(logits, targets, reduction="none"))
    assert torch.equal(found["predicted"].long(), logits.argmax(1))
    assert torch.allclose(found["squared_norms"], features.flatten(0, -2).square().sum(1), rtol=1e-5)
    errors = logits.softmax(1) - functional.one_hot(targets, 10)
    assert torch.allclose(found["squared_errors"], errors.square().sum(1), atol=1e-6)


@pytest.mark.slow
def test_traces_after_the_epoch_do_not_change_the_training() -> None:
    trial = trial_of(detector="ctrl")
    alone = gathered(single_run, trial, {"in-passing.losses": 1})
    watched = gathered(single_run, trial, TRACES)
    assert watched.lacks(TRACES) == []
    assert alone.in_passing is not None
    assert watched.in_passing is not None
    assert watched.after_epoch is not None
    assert np.array_equal(alone.in_passing.losses, watched.in_passing.losses)
    assert np.array_equal(alone.predicted, watched.predicted)
    assert not np.array_equal(watched.after_epoch.losses, watched.in_passing.losses)


@pytest.mark.slow
def test_a_resumed_training_has_the_traces_of_an_uninterrupted_one(tmp_path: Any) -> None:
    trial = trial_of(detector="ctrl", training="{epochs: 3, batch_size: 128}")
    whole = gathered(single_run, trial, TRACES)

    class Interrupted(Checkpoints):
        def write(self, name: str, content: dict[str, Any]) -> None:
            super().write(name, content)
            raise KeyboardInterrupt

    with isolated_torch(CPU):
        with pytest.raises(KeyboardInterrupt):
            single_run.gather(surrogate_of(trial, Interrupted(tmp_path, epoch_seconds=0)), TRACES)
        assert [path.name for path in tmp_path.iterdir()] == ["fit-0.pt"]
        resumed = single_run.gather(surrogate_of(trial, Checkpoints(tmp_path)), TRACES)
    for name, array in whole.arrays().items():
        assert np.array_equal(array, resumed.arrays()[name]), name


def test_passes_differ_and_leave_the_probabilities_as_they_are() -> None:
    trial = trial_of(detector=FOLDS)
    plain = gathered(cross_validation, trial, {"probabilities": 1})
    found = gathered(cross_validation, trial, {"passes": 3})
    assert np.array_equal(plain.probabilities, found.probabilities)
    assert found.passes is not None
    assert found.passes.shape == (3, 400, 10)
    assert not np.array_equal(found.passes[0], found.passes[1])
    again = gathered(cross_validation, trial, {"passes": 2})
    assert np.array_equal(again.passes, found.passes[:2])
    # A pass belongs to its sample: on average it is near the probability without dropout.
    distances = np.abs(found.passes.mean(0) - found.probabilities).sum(1)
    shuffled = np.abs(np.roll(found.passes.mean(0), 1, 0) - found.probabilities).sum(1)
    assert distances.mean() < shuffled.mean()


def test_neighbours_are_samples_that_the_fold_was_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sample's features are its index, so that the neighbours' labels and distances are known."""
    monkeypatch.setattr(Surrogate, "features", lambda *arguments: arguments[3][:, np.newaxis])
    seen = []

    def nearest(features: Any, queries: Any, k: int) -> tuple[Any, Any]:
        seen.append((features[:, 0], queries[:, 0]))
        return np.tile(np.arange(k), (len(queries), 1)), np.repeat(queries, k, 1).astype(np.float32)

    monkeypatch.setattr(neighbours, "nearest", nearest)
    trial = trial_of(detector=FOLDS)
    found = gathered(cross_validation, trial, {"neighbour_labels": 4, "neighbour_distances": 4})
    given = surrogate_of(trial).given
    assert found.neighbour_labels is not None
    assert found.neighbour_distances is not None
    for references, queries in seen:
        assert sorted([*references, *queries]) == list(range(400))
        assert np.array_equal(found.neighbour_labels[queries], np.tile(given[references[:4]], (200, 1)))
    assert found.neighbour_distances[:, 3].tolist() == list(range(400))
