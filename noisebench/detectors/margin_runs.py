"""AUM: runs on all samples, each with its own threshold samples."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from noisebench.catalogue.component import Component
from noisebench.detectors.judgement import Judgement
from noisebench.science import aum
from noisebench.science.evidence import Evidence
from noisebench.training.fits import results_of
from noisebench.training.observation import Fit
from noisebench.training.surrogate import Surrogate
from noisebench.training.watchers import MarginWatcher


def gather(surrogate: Surrogate, needs: Mapping[str, int]) -> Evidence:
    """Relabel each run's threshold samples to class K + 1, train on all samples, keep their margins.

    A sample's prediction is the most probable of the K true classes, by the last epoch's probabilities
    averaged over the runs in which it is not a threshold sample.
    """
    del needs  # the margins are always there
    trial, samples = surrogate.trial, len(surrogate.given)
    detector, classes = trial.detector, surrogate.dataset.classes
    rng = np.random.default_rng(trial.seed_for("thresholds"))
    sets = aum.threshold_sets(samples, classes, detector["runs"], rng, detector["threshold"])
    planned = [_fit(surrogate, number, members) for number, members in enumerate(sets)]
    runs = results_of(surrogate, planned, partial(_finish, surrogate))
    votes = np.zeros((samples, classes))
    threshold_samples = np.zeros((len(sets), samples), dtype=np.bool_)
    for number, (members, run) in enumerate(zip(sets, runs, strict=True)):
        judged = np.setdiff1d(np.arange(samples), members)
        votes[judged] += run["probabilities"].numpy()[judged]
        threshold_samples[number, members] = True
    return Evidence(
        labels=surrogate.given,
        classes=classes,
        predicted=votes.argmax(1),
        test_accuracies=torch.cat([run["test_accuracy"] for run in runs]).double().numpy(),
        margins_of_runs=np.stack([run["margins"].numpy() for run in runs]),
        threshold_samples=threshold_samples,
    )


def _fit(surrogate: Surrogate, number: int, members: npt.NDArray[np.int64]) -> Fit:
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
    return Fit(number, targets=targets, classes=classes + 1, watcher=watcher)


def _finish(surrogate: Surrogate, fit: Fit, model: nn.Module) -> dict[str, Tensor]:
    return {**fit.watched(), "test_accuracy": surrogate.test_accuracy(model)}


def judge(evidence: Evidence, detector: Component) -> Judgement:
    """Compare each sample's margins with those of the threshold samples (Pleiss et al. 2020).

    Cohen's d and the Wasserstein distance compare the AUMs of right and wrong labels (P2, Fig. 6).
    """
    assert evidence.margins_of_runs is not None
    assert evidence.threshold_samples is not None
    sets = [np.flatnonzero(members) for members in evidence.threshold_samples]
    detection, thresholds = aum.flag(evidence.margins_of_runs, sets, detector["percentile"])
    scores = -detection.suspicion
    return Judgement(detection, {"aum": scores}, {"threshold": float(thresholds.mean())}, separated=scores)
