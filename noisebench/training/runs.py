"""The runs of a trial, each trained unless its result is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from noisebench.records.checkpoints import pack, unpack
from noisebench.training.fit import Fit, start_fit
from noisebench.training.graph import recording_epochs
from noisebench.training.loop import EpochStatistics, train
from noisebench.training.observation import Observation, Run
from noisebench.training.surrogate import Indices, Surrogate
from noisebench.training.task import TrainingTask

Finish = Callable[[Run, nn.Module], dict[str, Tensor]]
Group = Sequence[Run]

# The mark of an epoch in which a step is recorded, or replayed for the first time.
_RECORDING = "recording"


def results_of(surrogate: Surrogate, runs: Group, finish: Finish) -> list[dict[str, Tensor]]:
    """Return the tensors of each run: from its checkpoint, or the result of `finish` on the trained model.

    Models are trained one after another, or together where the surrogate's modes say so.
    """
    kept = {run.number: surrogate.checkpoints.read(f"run-{run.number}") for run in runs}
    results = {number: unpack(content) for number, content in kept.items() if content is not None}
    for group in _groups(surrogate, [run for run in runs if run.number not in results]):
        observations = [Observation(surrogate, run) for run in group]
        models = _train(surrogate, group, observations)
        for run, observation, model in zip(group, observations, models, strict=True):
            results[run.number] = observation.rows, finish(run, model)
            surrogate.checkpoints.write(f"run-{run.number}", pack(*results[run.number]))
        surrogate.checkpoints.forget(_name(group))
    for run in runs:
        surrogate.rows.extend(results[run.number][0])
    return [results[run.number][1] for run in runs]


def _groups(surrogate: Surrogate, runs: Group) -> list[Group]:
    """Split runs into those trained together; models that see unequal numbers of samples are not."""
    if not surrogate.modes.together:
        return [[run] for run in runs]
    by_length: dict[int, list[Run]] = {}
    for run in runs:
        by_length.setdefault(len(_indices(surrogate, run)), []).append(run)
    return list(by_length.values())


def _train(surrogate: Surrogate, group: Group, observations: list[Observation]) -> list[nn.Module]:
    _avoid_repeated_crash(surrogate)
    task = _task(surrogate, group)
    models = [surrogate.fresh_model(run.number, run.classes or surrogate.dataset.classes) for run in group]
    fit = start_fit(models, task, surrogate.modes)
    _restore(surrogate, group, fit, observations)
    recording = recording_epochs(task, fit.epochs_done) if fit.modes.graph else None
    _mark_recording(surrogate, fit, recording)

    def after_epoch(fit: Fit, statistics: list[EpochStatistics]) -> None:
        _mark_recording(surrogate, fit, recording)
        # Only the held-out loss of the dynamics needs the models; grouped ones have to be copied apart.
        models = fit.models() if surrogate.trial.dynamics else [None] * len(group)
        for observation, model, of_run in zip(observations, models, statistics, strict=True):
            observation.after_epoch(model, of_run)
        _keep(surrogate, group, fit, observations)

    hooks = [observation.on_batch for observation in observations if observation.watching]
    train(fit, task, hooks, after_epoch)
    surrogate.take_over(fit.modes, fit.notes)
    return fit.models()


def _task(surrogate: Surrogate, group: Group) -> TrainingTask:
    return TrainingTask(
        inputs=surrogate.training,
        targets=torch.stack([surrogate.on_device(_targets(surrogate, run)) for run in group]),
        indices=torch.stack([surrogate.on_device(_indices(surrogate, run)) for run in group]),
        objective=surrogate.objective,
        training=surrogate.trial.training,
        runs=tuple(run.number for run in group),
        seed_for=surrogate.trial.seed_for,
    )


def _avoid_repeated_crash(surrogate: Surrogate) -> None:
    """Train without a graph where an earlier attempt of this trial ended in an epoch that recorded one.

    A crash, or an error that costs the process its GPU, leaves no other trace.
    """
    if surrogate.modes.graph and surrogate.checkpoints.read(_RECORDING) is not None:
        without = replace(surrogate.modes, graph=False)
        surrogate.take_over(without, ["no graph: an earlier attempt ended while it was recorded"])


def _mark_recording(surrogate: Surrogate, fit: Fit, recording: set[int] | None) -> None:
    """Keep the mark for the next epoch where it is one of `recording`, else remove it.

    None: nothing was to be recorded from the start. The mark of an earlier attempt stays, for a later one.
    """
    if recording is None:
        return
    continues = fit.epochs_done < surrogate.trial.training.epochs
    if continues and fit.modes.graph and fit.epochs_done in recording:
        surrogate.checkpoints.write(_RECORDING, {})
    else:
        surrogate.checkpoints.forget(_RECORDING)


def _targets(surrogate: Surrogate, run: Run) -> Indices:
    return surrogate.training_targets if run.targets is None else run.targets


def _indices(surrogate: Surrogate, run: Run) -> Indices:
    return np.arange(len(_targets(surrogate, run))) if run.indices is None else run.indices


def _name(group: Group) -> str:
    return "fit-" + "-".join(str(run.number) for run in group)


def _keep(surrogate: Surrogate, group: Group, fit: Fit, observations: list[Observation]) -> None:
    """Keep an unfinished fit where that is due."""
    if fit.epochs_done == surrogate.trial.training.epochs or not surrogate.checkpoints.epoch_due:
        return
    states = [observation.state() for observation in observations]
    if None not in states:
        surrogate.checkpoints.write(_name(group), {**fit.state(), "observations": states})


def _restore(surrogate: Surrogate, group: Group, fit: Fit, observations: list[Observation]) -> None:
    """Bring a fit to where its checkpoint left it; one of other modes or another version is not used."""
    kept = surrogate.checkpoints.read(_name(group))
    if kept is None or not fit.fits(kept):
        return
    fit.restore(kept)
    for observation, state in zip(observations, kept["observations"], strict=True):
        observation.restore(state)
