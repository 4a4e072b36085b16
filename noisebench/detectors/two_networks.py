"""Two networks that train each other: each selects, of every batch, the samples that the other one learns.

Co-teaching (Han et al., NeurIPS 2018) and CNLCU (Xia et al., ICLR 2022). Both networks see the same batches
and differ in their first weights and dropout. They select by cross entropy whatever the trial's loss is:
losses such as BL and PZ are small for wrong labels too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from noisebench.catalogue.component import Component
from noisebench.detectors.judgement import Judgement
from noisebench.science import flag_rules, selection, traces
from noisebench.science.detection import Detection
from noisebench.science.evidence import IN_PASSING, Evidence, Traces
from noisebench.training.fits import results_of
from noisebench.training.objective import Objective
from noisebench.training.observation import Fit
from noisebench.training.surrogate import Surrogate
from noisebench.training.traces import TraceWatcher

# Of the last losses [..., t] of samples, and how often each was selected [...]: lower = selected earlier.
Bound = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class ForgetRate:
    """The share that is left out of every batch, growing over `gradual` epochs to `rate`.

    None: the rate is estimated.
    """

    rate: float | None
    gradual: int


class PeerSelection:
    """Each of two networks selects the samples with the lowest bounds, for the other one.

    A bound is computed from the last `window` losses. Without a rate, the forget rate is the share of the
    upper of two Gaussians, fitted to the mean losses so far before each of the first epochs, and then kept.
    """

    def __init__(
        self, samples: int, forget: ForgetRate, window: int, bound: Bound, device: torch.device
    ) -> None:
        self._forget, self._window, self._bound = forget, window, bound
        self._losses = torch.zeros(2, samples, window, device=device)
        self._selected = torch.ones(2, samples, device=device)
        self._sums = torch.zeros(samples, dtype=torch.float64, device=device)
        # The epoch of the last batch, and the rate in it.
        self._epoch, self._rate = -1, forget.rate or 0.0

    def choose(self, epoch: int, logits: Tensor, targets: Tensor, batch: Tensor) -> Tensor:
        """Return which samples train each network, bool [2, B]: those that the other one selects."""
        if epoch != self._epoch:
            self._begin(epoch)
        losses = functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none")
        members = batch[0]
        self._losses[:, members, epoch % self._window] = losses.view(targets.shape)
        self._sums[members] += losses.view(targets.shape).sum(0)
        share = selection.forget_share(epoch, self._rate, self._forget.gradual)
        chosen = selection.smallest(self._bounds(members), share)
        self._selected[:, members] += chosen
        return chosen.flip(0)

    def objective(self, epoch: int, given: Objective) -> Objective:
        """Return the trial's objective."""
        del epoch
        return given

    def _begin(self, epoch: int) -> None:
        if self._forget.rate is None and 0 < epoch <= self._forget.gradual:
            self._rate = float(flag_rules.mixture(self._sums.cpu().numpy() / (2 * epoch)).mean())
        self._epoch = epoch

    def _bounds(self, members: Tensor) -> Tensor:
        """Return the bounds [2, B] of samples, from the losses up to the current epoch, oldest first."""
        seen = min(self._epoch + 1, self._window)
        order = [(self._epoch - back) % self._window for back in reversed(range(seen))]
        return self._bound(self._losses[:, members][..., order], self._selected[:, members])

    def result(self) -> dict[str, Tensor]:
        """Return the mean of the networks' bounds after the last epoch, float64 [N], and the rate [1]."""
        everyone = torch.arange(len(self._sums), device=self._sums.device)
        bounds = self._bounds(everyone).double().mean(0).cpu()
        return {"bounds": bounds, "forget_rate": torch.tensor([self._rate], dtype=torch.float64)}

    def state(self) -> dict[str, Tensor]:
        """Return losses, counts, sums and the rate."""
        progress = torch.tensor([self._epoch, self._rate], dtype=torch.float64)
        arrays = {"losses": self._losses, "selected": self._selected, "sums": self._sums}
        return {**arrays, "progress": progress}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from the result of `state`."""
        self._losses.copy_(state["losses"])
        self._selected.copy_(state["selected"])
        self._sums.copy_(state["sums"])
        epoch, self._rate = state["progress"].tolist()
        self._epoch = int(epoch)


def gather_co_teaching(surrogate: Surrogate, needs: Mapping[str, int]) -> Evidence:
    """Train two networks that select by their losses of the current batch."""
    del needs  # the arrays are always there
    return _gather(surrogate, 1, selection.last_loss)


def gather_cnlcu_s(surrogate: Surrogate, needs: Mapping[str, int]) -> Evidence:
    """Train two networks that select by the soft lower bound of the last losses."""
    del needs
    detector = surrogate.trial.detector
    bound = partial(selection.soft_bound, variance=detector["variance"])
    return _gather(surrogate, detector["window"], bound)


def gather_cnlcu_h(surrogate: Surrogate, needs: Mapping[str, int]) -> Evidence:
    """Train two networks that select by the hard lower bound of the last losses."""
    del needs
    detector = surrogate.trial.detector
    bound = partial(selection.hard_bound, scale=detector["scale"], bound=detector["bound"])
    return _gather(surrogate, detector["window"], bound)


def _gather(surrogate: Surrogate, window: int, bound: Bound) -> Evidence:
    """Train; keep the mean of both networks' losses in passing, their bounds and the forget rate.

    A sample's prediction is the most probable class by the mean probabilities of both networks.
    """
    samples, training, detector = len(surrogate.given), surrogate.trial.training, surrogate.trial.detector
    forget = ForgetRate(detector["rate"], detector["gradual"])
    peers = PeerSelection(samples, forget, window, bound, surrogate.device)
    fits = [
        Fit(number, watcher=TraceWatcher(samples, training.epochs, ("losses",), surrogate.device))
        for number in range(2)
    ]
    results = results_of(surrogate, fits, partial(_finish, surrogate, peers), peers)
    losses = torch.stack([each[f"{IN_PASSING}.losses"] for each in results]).mean(0)
    return Evidence(
        labels=surrogate.given,
        classes=surrogate.dataset.classes,
        predicted=torch.stack([each["probabilities"] for each in results]).mean(0).argmax(1).numpy(),
        test_accuracies=torch.cat([each["test_accuracy"] for each in results]).double().numpy(),
        in_passing=Traces(losses=losses.numpy()),
        bounds=results[0]["bounds"].numpy(),
        forget_rate=results[0]["forget_rate"].numpy(),
    )


def _finish(surrogate: Surrogate, peers: PeerSelection, fit: Fit, model: nn.Module) -> dict[str, Tensor]:
    return {
        **fit.watched(),
        **peers.result(),
        "probabilities": surrogate.probabilities(model),
        "test_accuracy": surrogate.test_accuracy(model),
    }


def judge_by_loss(evidence: Evidence, detector: Component) -> Judgement:
    """Rank by the mean loss of both networks over the epochs; flag the forget rate."""
    assert evidence.in_passing is not None
    assert evidence.in_passing.losses is not None
    return _judged(traces.mean_loss(evidence.in_passing.losses), evidence, detector)


def judge_by_bound(evidence: Evidence, detector: Component) -> Judgement:
    """Rank by the mean of both networks' bounds after the last epoch; flag the forget rate."""
    assert evidence.bounds is not None
    return _judged(evidence.bounds, evidence, detector)


def _judged(suspicion: npt.NDArray[np.float64], evidence: Evidence, detector: Component) -> Judgement:
    assert evidence.forget_rate is not None
    count = round(float(evidence.forget_rate[0]) * len(suspicion))
    flagged = flag_rules.top(suspicion, count)
    return Judgement(Detection(flagged, suspicion), knows_rate=detector["rate"] is not None)
