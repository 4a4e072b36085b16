"""AUM: runs on all samples, each with its own threshold samples."""

from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from noisebench.detectors.judgement import Judgement
from noisebench.science import aum, dynamics
from noisebench.training.observation import Run
from noisebench.training.runs import results_of
from noisebench.training.surrogate import Surrogate
from noisebench.training.watchers import MarginWatcher


def judge(surrogate: Surrogate) -> Judgement:
    """Relabel each run's threshold samples to class K + 1, train on all samples, compare margins with theirs.

    A sample's prediction is the most probable of the K true classes, by the last epoch's probabilities
    averaged over the runs in which it is not a threshold sample. Cohen's d and the Wasserstein distance
    compare the AUMs of right and wrong labels (P2, Fig. 6).
    """
    trial, samples = surrogate.trial, len(surrogate.given)
    detector, classes = trial.detector, surrogate.dataset.classes
    rng = np.random.default_rng(trial.seed_for("thresholds"))
    sets = aum.threshold_sets(samples, classes, detector["runs"], rng, detector["threshold"])
    planned = [_run(surrogate, number, members) for number, members in enumerate(sets)]
    runs = results_of(surrogate, planned, partial(_finish, surrogate))
    votes = np.zeros((samples, classes))
    for members, run in zip(sets, runs, strict=True):
        judged = np.setdiff1d(np.arange(samples), members)
        votes[judged] += run["probabilities"].numpy()[judged]
    margins = np.stack([run["margins"].numpy() for run in runs])
    detection, thresholds = aum.flag(margins, sets, detector["percentile"])
    scores = -detection.suspicion
    wrong = surrogate.given != surrogate.dataset.judged.labels
    known = ~np.isnan(scores)
    extra = {
        "threshold": float(thresholds.mean()),
        "cohens_d": dynamics.cohens_d(scores[known & ~wrong], scores[known & wrong]),
        "wasserstein": dynamics.wasserstein(scores[known & ~wrong], scores[known & wrong]),
    }
    accuracies = torch.cat([run["test_accuracy"] for run in runs]).tolist()
    return Judgement(detection, votes.argmax(1), {"aum": scores}, accuracies, extra)


def _run(surrogate: Surrogate, number: int, members: npt.NDArray[np.int64]) -> Run:
    detector, classes = surrogate.trial.detector, surrogate.dataset.classes
    targets = surrogate.given.copy()
    targets[members] = classes
    watcher = MarginWatcher(
        len(targets),
        classes,
        detector["skip_epochs"],
        surrogate.trial.training.epochs,
        detector["implementation"],
        surrogate.device,
    )
    return Run(number, targets=targets, classes=classes + 1, watcher=watcher)


def _finish(surrogate: Surrogate, run: Run, model: nn.Module) -> dict[str, Tensor]:
    return {**run.watched(), "test_accuracy": surrogate.test_accuracy(model)}
