"""Observations of one fit during its training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

from noisebench.data.datasets import Labels
from noisebench.records.checkpoints import Rows, pack, unpack
from noisebench.training.loop import EpochStatistics
from noisebench.training.surrogate import Indices, Surrogate
from noisebench.training.watchers import EpochWatcher, Watcher


@dataclass(frozen=True)
class Fit:
    """One model to train; `number`, of the fold or AUM run, seeds all its random draws.

    The model is trained on the training samples at `indices` (default: all) with `targets` [N] of `classes`
    (default: the given labels, the data set's classes), and not on the judged samples at `held_out`.
    `watcher` sees its batches, `after_epoch` the model after each epoch. `finished` is asked after each epoch
    whether the fit is over.
    """

    number: int
    indices: Indices | None = None
    targets: Labels | None = None
    classes: int | None = None
    watcher: Watcher | None = None
    held_out: Indices | None = None
    after_epoch: EpochWatcher | None = None
    finished: Callable[[], bool] | None = None

    def watched(self) -> dict[str, Tensor]:
        """Return the results of this fit's watchers, on the CPU."""
        watchers = [watcher for watcher in (self.watcher, self.after_epoch) if watcher is not None]
        return {name: tensor for watcher in watchers for name, tensor in watcher.result().items()}


class Observation:
    """A fit's epoch rows and its watcher's observations.

    If the trial records dynamics, rows also have quantiles and the loss on the held-out samples, or on the
    test part if none are held out.
    """

    def __init__(self, surrogate: Surrogate, fit: Fit) -> None:
        self._surrogate, self._fit = surrogate, fit
        targets = surrogate.training_targets if fit.targets is None else fit.targets
        self._dynamics = surrogate.dynamics_watcher(targets) if surrogate.trial.dynamics else None
        self._watchers = [watcher for watcher in (fit.watcher, self._dynamics) if watcher is not None]
        self.rows: Rows = []

    @property
    def watching(self) -> bool:
        """Whether a watcher observes the batches."""
        return bool(self._watchers)

    @property
    def needs_model(self) -> bool:
        """Whether `after_epoch` needs the current model."""
        return self._dynamics is not None or self._fit.after_epoch is not None

    @property
    def finished(self) -> bool:
        """Whether the fit is over before its last epoch."""
        return self._fit.finished is not None and self._fit.finished()

    def on_batch(self, epoch: int, logits: Tensor, targets: Tensor, indices: Tensor) -> None:
        """Observe one batch."""
        for watcher in self._watchers:
            watcher(epoch, logits, targets, indices)

    def after_epoch(self, model: nn.Module | None, statistics: EpochStatistics) -> None:
        """Add the row of a finished epoch; with `needs_model`, `model` is the current one."""
        if self._fit.after_epoch is not None:
            assert model is not None
            self._fit.after_epoch.after_epoch(statistics.epoch, model)
        row = {"fold": self._fit.number, **asdict(statistics)}
        if self._dynamics is not None:
            assert model is not None
            row["quantiles"] = self._dynamics.quantiles(statistics.epoch)
            row["held_out_loss"] = self._surrogate.held_out_loss(model, self._fit.held_out, statistics.epoch)
        self.rows.append(row)

    def state(self) -> dict[str, Any] | None:
        """Return the state for a checkpoint; None if the watcher cannot be checkpointed."""
        watched = {} if self._fit.watcher is None else self._fit.watcher.state()
        if watched is None:
            return None
        after_epoch = {} if self._fit.after_epoch is None else self._fit.after_epoch.state()
        return pack(self.rows, {**watched, **after_epoch})

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from the result of `state`."""
        self.rows, watched = unpack(state)
        for watcher in (self._fit.watcher, self._fit.after_epoch):
            if watcher is not None:
                watcher.restore(watched)
