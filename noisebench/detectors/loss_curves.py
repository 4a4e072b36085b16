"""CTRL and small-loss: one model on all samples, each sample's loss in each epoch."""

from functools import partial

from torch import Tensor, nn

from noisebench.detectors.judgement import Judgement
from noisebench.science import ctrl, small_loss
from noisebench.training.observation import Run
from noisebench.training.runs import results_of
from noisebench.training.surrogate import Surrogate
from noisebench.training.watchers import LossCurveWatcher


def judge_by_ctrl(surrogate: Surrogate) -> Judgement:
    """Cluster the loss curves in each given class (Yue & Jha 2024)."""
    curves = _curves(surrogate)
    detection = ctrl.find(curves["losses"].numpy(), surrogate.given, surrogate.dataset.classes)
    return Judgement(detection, curves["predicted"].numpy(), {}, curves["test_accuracy"].tolist())


def judge_by_small_loss(surrogate: Surrogate) -> Judgement:
    """Rank by mean loss; flag the share `share`, or the upper of two Gaussians."""
    curves = _curves(surrogate)
    detection = small_loss.find(curves["losses"].numpy(), surrogate.trial.detector["share"])
    return Judgement(detection, curves["predicted"].numpy(), {}, curves["test_accuracy"].tolist())


def judge_nothing(surrogate: Surrogate) -> Judgement:
    """Train on all samples without detection, to measure the accuracy on clean test images."""
    curves = _curves(surrogate)
    return Judgement(None, curves["predicted"].numpy(), {}, curves["test_accuracy"].tolist())


def _curves(surrogate: Surrogate) -> dict[str, Tensor]:
    watcher = LossCurveWatcher(len(surrogate.given), surrogate.trial.training.epochs, surrogate.device)
    (curves,) = results_of(surrogate, [Run(0, watcher=watcher)], partial(_finish, surrogate))
    return curves


def _finish(surrogate: Surrogate, run: Run, model: nn.Module) -> dict[str, Tensor]:
    return {**run.watched(), "test_accuracy": surrogate.test_accuracy(model)}
