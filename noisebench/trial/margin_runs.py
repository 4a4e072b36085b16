"""The route of AUM: runs on all samples, each with its own threshold samples."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noisebench.science import aum
from noisebench.science.aum_package import PackageMarginAccumulator
from noisebench.trial.judgement import Judgement
from noisebench.trial.surrogate import Surrogate

_ACCUMULATORS = {"noisebench": aum.MarginAccumulator, "aum-package": PackageMarginAccumulator}


def judge(surrogate: Surrogate) -> Judgement:
    """Relabel a run's threshold samples to a class K + 1, train on everything, compare margins with theirs.

    A sample's prediction is the last epoch's most probable class among the true K, averaged over the
    runs in which it is no threshold sample.
    """
    trial, dataset, samples = surrogate.trial, surrogate.dataset, len(surrogate.given)
    detector = trial.detector
    rng = np.random.default_rng(trial.seed_for("thresholds"))
    sets = aum.threshold_sets(samples, dataset.classes, detector["runs"], rng, detector["threshold"])
    margins = np.empty((len(sets), samples))
    votes = np.zeros((samples, dataset.classes))
    accuracies: list[float] = []
    for run, members in enumerate(sets):
        margins[run], probabilities, accuracy = _run(surrogate, run, members)
        probabilities[members] = 0
        votes += probabilities
        accuracies.extend(accuracy)
    detection, thresholds = aum.flag(margins, sets, detector["percentile"])
    extra = {"threshold": float(thresholds.mean())}
    return Judgement(detection, votes.argmax(1), {"aum": -detection.suspicion}, accuracies, extra)


def _run(
    surrogate: Surrogate, run: int, members: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], list[float]]:
    """Return AUMs [N], last-epoch probabilities [N, K] and test accuracy of one run."""
    detector, classes = surrogate.trial.detector, surrogate.dataset.classes
    samples = len(surrogate.given)
    targets = surrogate.given.copy()
    targets[members] = classes
    accumulator = _ACCUMULATORS[detector["implementation"]](samples, surrogate.device)
    last = torch.empty(samples, classes, device=surrogate.device)

    def watch(epoch: int, logits: Tensor, batch_targets: Tensor, indices: Tensor) -> None:
        if epoch >= detector["skip_epochs"]:
            accumulator.update(logits, batch_targets, indices)
        if epoch == surrogate.trial.training.epochs - 1:
            last[indices] = logits[:, :classes].float().softmax(1)

    model = surrogate.train(run, np.arange(samples), targets, classes + 1, watch)
    margins = accumulator.mean().cpu().numpy()
    return margins, last.double().cpu().numpy(), surrogate.test_accuracy(model)
