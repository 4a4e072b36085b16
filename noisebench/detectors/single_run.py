"""Single run: one model on all samples, and what is seen of each sample in each epoch."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from noisebench.catalogue.component import Component
from noisebench.detectors.judgement import Judgement
from noisebench.science import ctrl, small_loss
from noisebench.science.evidence import AFTER_EPOCH, IN_PASSING, Evidence, Traces
from noisebench.training.fits import results_of
from noisebench.training.observation import Fit
from noisebench.training.surrogate import Surrogate
from noisebench.training.traces import EpochTraces, TraceWatcher


def gather(surrogate: Surrogate, needs: Mapping[str, int]) -> Evidence:
    """Train one model on all samples; keep the traces that `needs` names."""
    epochs = surrogate.trial.training.epochs
    watcher = TraceWatcher(len(surrogate.given), epochs, _traces(needs, IN_PASSING), surrogate.device)
    after = _traces(needs, AFTER_EPOCH)
    fit = Fit(0, watcher=watcher, after_epoch=EpochTraces(surrogate, epochs, after) if after else None)
    (result,) = results_of(surrogate, [fit], partial(_finish, surrogate))
    arrays = {name: tensor.numpy() for name, tensor in result.items()}
    return Evidence(
        labels=surrogate.given,
        classes=surrogate.dataset.classes,
        predicted=arrays["predicted"],
        test_accuracies=arrays["test_accuracy"].astype(np.float64),
        in_passing=_kind(arrays, IN_PASSING),
        after_epoch=_kind(arrays, AFTER_EPOCH),
    )


def _traces(needs: Mapping[str, int], kind: str) -> tuple[str, ...]:
    return tuple(sorted(name.removeprefix(f"{kind}.") for name in needs if name.startswith(f"{kind}.")))


def _kind(arrays: Mapping[str, npt.NDArray[np.generic]], kind: str) -> Traces | None:
    """Return the traces of one kind, None if there are none."""
    traces = {name.removeprefix(f"{kind}."): array for name, array in arrays.items() if kind in name}
    return Traces(**traces) if traces else None  # type: ignore[arg-type]


def _finish(surrogate: Surrogate, fit: Fit, model: nn.Module) -> dict[str, Tensor]:
    return {**fit.watched(), "test_accuracy": surrogate.test_accuracy(model)}


def traces_of(evidence: Evidence, detector: Component) -> Traces:
    """Return the traces of the kind that a detector reads."""
    after = detector.get("traces", IN_PASSING) == AFTER_EPOCH
    traces = evidence.after_epoch if after else evidence.in_passing
    assert traces is not None
    return traces


def judge_by_ctrl(evidence: Evidence, detector: Component) -> Judgement:
    """Cluster the loss curves in each given class (Yue & Jha 2024)."""
    losses = traces_of(evidence, detector).losses
    assert losses is not None
    return Judgement(ctrl.find(losses, evidence.labels, evidence.classes))


def judge_by_small_loss(evidence: Evidence, detector: Component) -> Judgement:
    """Rank by mean loss; flag the share `share`, or the upper of two Gaussians."""
    losses = traces_of(evidence, detector).losses
    assert losses is not None
    share = detector["share"]
    return Judgement(small_loss.find(losses, share), knows_rate=share is not None)


def judge_nothing(evidence: Evidence, detector: Component) -> Judgement:
    """Detect nothing: the trial measures the accuracy on clean test images."""
    del evidence, detector
    return Judgement(None)
