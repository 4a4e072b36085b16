"""SelNLPL: negative learning, selective negative learning, selective positive learning, one after another."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from noisebench.catalogue.component import Component
from noisebench.science.evidence import IN_PASSING, Evidence, Traces
from noisebench.sweep.trial import Trial
from noisebench.training.fits import results_of
from noisebench.training.objective import Objective
from noisebench.training.observation import Fit
from noisebench.training.surrogate import Surrogate
from noisebench.training.traces import TraceWatcher


class PhaseSelection:
    """The samples and the loss of each phase, a third of the epochs each (Kim et al., ICCV 2019).

    NL: all samples; SelNL: those whose mean p of the given label is at least 1/K; SelPL: at least gamma. The
    mean is taken over the detector's `epochs` before the current one, in passing. The first two phases train
    with the loss NL, the last one with the trial's loss; the authors' is cross entropy.
    """

    def __init__(self, trial: Trial, samples: int, classes: int, device: torch.device) -> None:
        self._least = (0.0, 1 / classes, trial.detector["gamma"])
        self._epochs = trial.training.epochs
        self._history = torch.zeros(samples, trial.detector["epochs"], device=device)
        self._negative = Objective.of(Component.of("NL", delay=0))

    def choose(self, epoch: int, logits: Tensor, targets: Tensor, batch: Tensor) -> Tensor:
        """Return which samples are trained on, bool [1, B]."""
        members, slots = batch[0], self._history.shape[1]
        mean = self._history[members, : min(epoch, slots)].mean(1)
        p = logits[0].float().softmax(1).gather(1, targets[0].unsqueeze(1)).squeeze(1)
        self._history[members, epoch % slots] = p
        least = self._least[self._phase(epoch)]
        return (mean >= least if least else torch.ones_like(mean, dtype=torch.bool)).unsqueeze(0)

    def objective(self, epoch: int, given: Objective) -> Objective:
        """Return the objective of `epoch`; `given` is the trial's."""
        return given if self._phase(epoch) == 2 else self._negative

    def _phase(self, epoch: int) -> int:
        return 3 * epoch // self._epochs

    def state(self) -> dict[str, Tensor]:
        """Return the history."""
        return {"history": self._history}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from the result of `state`."""
        self._history.copy_(state["history"])


def gather(surrogate: Surrogate, needs: Mapping[str, int]) -> Evidence:
    """Train one model through the three phases; keep its losses in passing."""
    del needs  # the losses are always there
    samples, classes = len(surrogate.given), surrogate.dataset.classes
    trial, device = surrogate.trial, surrogate.device
    phases = PhaseSelection(trial, samples, classes, device)
    fit = Fit(0, watcher=TraceWatcher(samples, trial.training.epochs, ("losses",), device))
    (result,) = results_of(surrogate, [fit], partial(_finish, surrogate), phases)
    return Evidence(
        labels=surrogate.given,
        classes=classes,
        predicted=result["predicted"].numpy(),
        test_accuracies=result["test_accuracy"].double().numpy(),
        in_passing=Traces(losses=result[f"{IN_PASSING}.losses"].numpy()),
    )


def _finish(surrogate: Surrogate, fit: Fit, model: nn.Module) -> dict[str, Tensor]:
    return {**fit.watched(), "test_accuracy": surrogate.test_accuracy(model)}
