"""Late Stopping: rounds of training, each on the samples that the round before has learnt in time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from noisebench.catalogue.component import Component
from noisebench.detectors.judgement import Judgement
from noisebench.science import flag_rules, late_stopping
from noisebench.science.evidence import Evidence
from noisebench.training.fits import results_of
from noisebench.training.loop import EVALUATION_BATCH
from noisebench.training.observation import Fit
from noisebench.training.surrogate import Indices, Surrogate


class RoundWatcher:
    """Whether each sample of a round is predicted right after each epoch, and its mean loss.

    The round is over once `needed` samples have been learnt with `k` epochs in a row; None: after all epochs.
    """

    def __init__(self, surrogate: Surrogate, members: Indices, k: int, needed: int | None) -> None:
        self._inputs, self._k, self._needed = surrogate.training, k, needed
        self._skip = surrogate.trial.detector["skip_epochs"]
        self._members = surrogate.on_device(members)
        self._targets = surrogate.on_device(surrogate.given[members])
        epochs, device = surrogate.trial.training.epochs, surrogate.device
        self._right = torch.zeros(len(members), epochs, dtype=torch.bool, device=device)
        self._sums = torch.zeros(len(members), dtype=torch.float64, device=device)
        self._epochs = 0

    @torch.no_grad()
    def after_epoch(self, epoch: int, model: nn.Module) -> None:
        """Observe all samples of the round; `model` is left in evaluation mode."""
        model.eval()
        everyone = torch.arange(len(self._members), device=self._members.device)
        parts = torch.split(everyone, EVALUATION_BATCH)
        batches = [self._members[part] for part in parts]
        for part, batch, pixels in zip(parts, batches, self._inputs.read_ahead(batches), strict=True):
            logits, targets = model(self._inputs.plain_batch(batch, pixels)), self._targets[part]
            self._right[part, epoch] = logits.argmax(1) == targets
            self._sums[part] += functional.cross_entropy(logits.float(), targets, reduction="none")
        self._epochs = epoch + 1

    def finished(self) -> bool:
        """Whether enough samples have been learnt."""
        if self._needed is None:
            return False
        return int((self._learnt() != late_stopping.NEVER).sum()) >= self._needed

    def _learnt(self) -> npt.NDArray[np.int64]:
        right = self._right[:, : self._epochs].cpu().numpy()
        return late_stopping.learnt(right, self._k, self._skip)

    def result(self) -> dict[str, Tensor]:
        """Return the epoch in which each sample was learnt, int64 [n], and its mean loss, float64 [n]."""
        return {"learnt": torch.from_numpy(self._learnt()), "losses": (self._sums / self._epochs).cpu()}

    def state(self) -> dict[str, Tensor]:
        """Return what was observed so far."""
        return {"right": self._right, "loss_sums": self._sums, "epochs": torch.tensor(self._epochs)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from the result of `state`."""
        self._right.copy_(state["right"])
        self._sums.copy_(state["loss_sums"])
        self._epochs = int(state["epochs"])


def gather(surrogate: Surrogate, needs: Mapping[str, int]) -> Evidence:
    """Train round after round, each from fresh weights on what is left.

    Without a rate, the first round takes all epochs, and the rate is the share of the upper of two Gaussians
    that are fitted to its mean losses. A sample's prediction is that of the last round's model.
    """
    del needs  # the arrays are always there
    detector, samples = surrogate.trial.detector, len(surrogate.given)
    rate, rounds = detector["rate"], detector["rounds"]
    members = np.arange(samples)
    kept_rounds, losses = np.zeros(samples, dtype=np.int64), np.zeros(samples)
    result: dict[str, Tensor] = {}
    for number in range(rounds):
        result = _round(surrogate, number, members, rate)
        of_round = result["losses"].numpy()
        if rate is None:
            rate = float(flag_rules.mixture(of_round).mean())
        needed = late_stopping.samples_to_keep(samples, rate, number, rounds)
        losses[members] = of_round
        members = members[late_stopping.kept(result["learnt"].numpy(), of_round, min(needed, len(members)))]
        kept_rounds[members] += 1
    return Evidence(
        labels=surrogate.given,
        classes=surrogate.dataset.classes,
        predicted=result["probabilities"].argmax(1).numpy(),
        test_accuracies=result["test_accuracy"].double().numpy(),
        kept_rounds=kept_rounds,
        round_losses=losses,
    )


def _round(surrogate: Surrogate, number: int, members: Indices, rate: float | None) -> dict[str, Tensor]:
    rounds = surrogate.trial.detector["rounds"]
    needed = None
    if rate is not None:
        needed = late_stopping.samples_to_keep(len(surrogate.given), rate, number, rounds)
    watcher = RoundWatcher(surrogate, members, late_stopping.epochs_in_a_row(number, rounds), needed)
    fit = Fit(number, members, after_epoch=watcher, finished=watcher.finished)
    (result,) = results_of(surrogate, [fit], partial(_finish, surrogate, rounds))
    return result


def _finish(surrogate: Surrogate, rounds: int, fit: Fit, model: nn.Module) -> dict[str, Tensor]:
    if fit.number < rounds - 1:
        return fit.watched()
    probabilities, accuracy = surrogate.probabilities(model), surrogate.test_accuracy(model)
    return {**fit.watched(), "probabilities": probabilities, "test_accuracy": accuracy}


def judge(evidence: Evidence, detector: Component) -> Judgement:
    """Flag what was removed in one of the rounds; the earlier, the more suspect."""
    assert evidence.kept_rounds is not None
    assert evidence.round_losses is not None
    detection = late_stopping.find(evidence.kept_rounds, evidence.round_losses, detector["rounds"])
    return Judgement(detection, knows_rate=detector["rate"] is not None)
