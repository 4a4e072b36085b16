"""The runs of a trial, each trained unless its result is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from noisebench.records.checkpoints import pack, unpack
from noisebench.training.fast_fit import FastFit, start_fast_fit
from noisebench.training.fast_path import FastPath
from noisebench.training.fast_training import train_together
from noisebench.training.loop import EpochStatistics, Fit, start_fit, train
from noisebench.training.observation import Observation, Run
from noisebench.training.surrogate import Indices, Surrogate

Finish = Callable[[Run, nn.Module], dict[str, Tensor]]
Group = Sequence[Run]


def results_of(surrogate: Surrogate, runs: Group, finish: Finish) -> list[dict[str, Tensor]]:
    """Return the tensors of each run: from its checkpoint, or what `finish` makes of the trained model.

    Models are trained one after another, or together where the surrogate's fast path says so.
    """
    kept = {run.number: surrogate.checkpoints.read(f"run-{run.number}") for run in runs}
    found = {number: unpack(content) for number, content in kept.items() if content is not None}
    for group in _groups(surrogate, [run for run in runs if run.number not in found]):
        observations = [Observation(surrogate, run) for run in group]
        models = _train(surrogate, group, observations)
        for run, observation, model in zip(group, observations, models, strict=True):
            found[run.number] = observation.rows, finish(run, model)
            surrogate.checkpoints.write(f"run-{run.number}", pack(*found[run.number]))
        surrogate.checkpoints.forget(_name(group))
    for run in runs:
        surrogate.rows.extend(found[run.number][0])
    return [found[run.number][1] for run in runs]


def _groups(surrogate: Surrogate, runs: Group) -> list[Group]:
    """Split runs into those trained together; models that see unequal numbers of samples are not."""
    if surrogate.path is None or not surrogate.path.fused:
        return [[run] for run in runs]
    by_length: dict[int, list[Run]] = {}
    for run in runs:
        by_length.setdefault(len(_indices(surrogate, run)), []).append(run)
    return list(by_length.values())


def _train(surrogate: Surrogate, group: Group, observations: list[Observation]) -> list[nn.Module]:
    if surrogate.path is None:
        return [_train_reference(surrogate, group, observations)]
    return _train_fast(surrogate, group, observations, surrogate.path)


def _train_reference(surrogate: Surrogate, group: Group, observations: list[Observation]) -> nn.Module:
    (run,), (observation,) = group, observations
    fit = start_fit(_fresh_model(surrogate, run), surrogate.trial.training, run.number)
    _restore(surrogate, group, fit, observations)

    def after_epoch(fit: Fit, statistics: EpochStatistics) -> None:
        observation.after_epoch(fit.model, statistics)
        _keep(surrogate, group, fit, observations)

    train(
        fit,
        surrogate.training,
        surrogate.on_device(_targets(surrogate, run)),
        surrogate.on_device(_indices(surrogate, run)),
        surrogate.objective,
        surrogate.trial.training,
        surrogate.trial.seed_for,
        observation.on_batch,
        after_epoch,
    )
    return fit.model


def _train_fast(
    surrogate: Surrogate, group: Group, observations: list[Observation], path: FastPath
) -> list[nn.Module]:
    models = [_fresh_model(surrogate, run) for run in group]
    numbers = [run.number for run in group]
    fit = start_fast_fit(models, surrogate.trial.training, numbers, surrogate.device, path)
    _restore(surrogate, group, fit, observations)

    def after_epoch(fit: FastFit, statistics: list[EpochStatistics]) -> None:
        for observation, model, own in zip(observations, fit.stack.alone(), statistics, strict=True):
            observation.after_epoch(model, own)
        _keep(surrogate, group, fit, observations)

    train_together(
        fit,
        surrogate.training,
        torch.stack([surrogate.on_device(_targets(surrogate, run)) for run in group]),
        torch.stack([surrogate.on_device(_indices(surrogate, run)) for run in group]),
        surrogate.objective,
        surrogate.trial.training,
        surrogate.trial.seed_for,
        [observation.on_batch for observation in observations if observation.watching],
        after_epoch,
    )
    return fit.stack.alone()


def _fresh_model(surrogate: Surrogate, run: Run) -> nn.Module:
    return surrogate.fresh_model(run.number, run.classes or surrogate.dataset.classes)


def _targets(surrogate: Surrogate, run: Run) -> Indices:
    return surrogate.training_targets if run.targets is None else run.targets


def _indices(surrogate: Surrogate, run: Run) -> Indices:
    return np.arange(len(_targets(surrogate, run))) if run.indices is None else run.indices


def _name(group: Group) -> str:
    return "fit-" + "-".join(str(run.number) for run in group)


def _keep(surrogate: Surrogate, group: Group, fit: Fit | FastFit, observations: list[Observation]) -> None:
    """Keep an unfinished fit where the trial's epochs are kept."""
    if fit.epochs_done == surrogate.trial.training.epochs or not surrogate.checkpoints.epoch_due:
        return
    states = [observation.state() for observation in observations]
    if None not in states:
        surrogate.checkpoints.write(_name(group), {**fit.state(), "observations": states})


def _restore(surrogate: Surrogate, group: Group, fit: Fit | FastFit, observations: list[Observation]) -> None:
    """Bring a fit to where its checkpoint left it."""
    kept = surrogate.checkpoints.read(_name(group))
    if kept is not None:
        fit.restore(kept)
        for observation, state in zip(observations, kept["observations"], strict=True):
            observation.restore(state)
