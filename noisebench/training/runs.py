"""The runs of a trial: read from checkpoints, or trained."""

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
from noisebench.training.task import Selection, TrainingTask

# Runs that are over before their last epoch must be trained alone.
Finish = Callable[[Run, nn.Module], dict[str, Tensor]]
Group = Sequence[Run]

# The checkpoint that marks an epoch in which a step is recorded, or replayed for the first time.
_RECORDING = "recording"


def results_of(
    surrogate: Surrogate, runs: Group, finish: Finish, selection: Selection | None = None
) -> list[dict[str, Tensor]]:
    """Return the tensors of each run: from its checkpoint, or from `finish` on the trained model.

    Models are trained one after another, or together if the surrogate's modes allow it. With a `selection`
    all of them are trained together, in steps that are neither grouped, compiled nor recorded.
    """
    checkpoints = {run.number: surrogate.checkpoints.read(f"run-{run.number}") for run in runs}
    results = {number: unpack(content) for number, content in checkpoints.items() if content is not None}
    pending = [run for run in runs if run.number not in results]
    if selection is not None:
        _select_eagerly(surrogate)
        pending = list(runs) if pending else []  # no run can be trained without the others
    for group in _groups(surrogate, pending) if selection is None else [pending] if pending else []:
        observations = [Observation(surrogate, run) for run in group]
        models = _train(surrogate, group, observations, selection)
        for run, observation, model in zip(group, observations, models, strict=True):
            results[run.number] = observation.rows, finish(run, model)
            surrogate.checkpoints.write(f"run-{run.number}", pack(*results[run.number]))
        surrogate.checkpoints.forget(_name(_numbers(group)))
    for run in runs:
        surrogate.rows.extend(results[run.number][0])
    return [results[run.number][1] for run in runs]


def _select_eagerly(surrogate: Surrogate) -> None:
    """Leave out the modes that a step with a selection cannot have."""
    modes = replace(surrogate.modes, graph=False, branches=False, grouped=False, compiled=False)
    if modes != surrogate.modes:
        surrogate.take_over(modes, ["each step selects samples: eager, one model after another"])


def _groups(surrogate: Surrogate, runs: Group) -> list[Group]:
    """Split runs into groups trained together; all runs of a group have equally many samples."""
    if not surrogate.modes.together:
        return [[run] for run in runs]
    by_length: dict[int, list[Run]] = {}
    for run in runs:
        by_length.setdefault(len(_indices(surrogate, run)), []).append(run)
    return list(by_length.values())


def _train(
    surrogate: Surrogate, group: Group, observations: list[Observation], selection: Selection | None
) -> list[nn.Module]:
    _avoid_repeated_crash(surrogate)
    task = _task(surrogate, group, selection)
    models = [surrogate.fresh_model(run.number, run.classes or surrogate.dataset.classes) for run in group]
    fit = start_fit(models, task, surrogate.modes)
    _restore(surrogate, task, fit, observations)
    recording = recording_epochs(task, fit.epochs_done) if fit.modes.graph else None
    _mark_recording(surrogate, fit, recording)

    def after_epoch(fit: Fit, statistics: list[EpochStatistics]) -> bool:
        _mark_recording(surrogate, fit, recording)
        # Grouped models must be copied, so only where they are needed.
        needed = any(observation.needs_model for observation in observations)
        models = fit.models() if needed else [None] * len(group)
        for observation, model, of_run in zip(observations, models, statistics, strict=True):
            observation.after_epoch(model, of_run)
        finished = all(observation.finished for observation in observations)
        if not finished:
            _keep(surrogate, task, fit, observations)
        return finished

    hooks = [observation.on_batch for observation in observations if observation.watching]
    train(fit, task, hooks, after_epoch)
    if recording is not None:
        surrogate.checkpoints.forget(_RECORDING)  # a run that was over early may have left it
    surrogate.take_over(fit.modes, fit.notes)
    return fit.models()


def _task(surrogate: Surrogate, group: Group, selection: Selection | None) -> TrainingTask:
    return TrainingTask(
        inputs=surrogate.training,
        targets=torch.stack([surrogate.on_device(_targets(surrogate, run)) for run in group]),
        indices=torch.stack([surrogate.on_device(_indices(surrogate, run)) for run in group]),
        objective=surrogate.objective,
        training=surrogate.trial.training,
        runs=_numbers(group),
        seed_for=surrogate.trial.seed_for,
        selection=selection,
    )


def _avoid_repeated_crash(surrogate: Surrogate) -> None:
    """Train without a graph if an earlier attempt of this trial ended in an epoch that recorded one.

    A crash, or an error that makes the GPU unusable for the process, leaves no other trace.
    """
    if surrogate.modes.graph and surrogate.checkpoints.read(_RECORDING) is not None:
        modes = replace(surrogate.modes, graph=False)
        surrogate.take_over(modes, ["no graph: an earlier attempt ended while it was recorded"])


def _mark_recording(surrogate: Surrogate, fit: Fit, recording: set[int] | None) -> None:
    """Write the mark if the next epoch is one of `recording`, else remove it.

    None: this attempt records nothing. The mark of an earlier attempt stays for later attempts.
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


def _numbers(group: Group) -> tuple[int, ...]:
    return tuple(run.number for run in group)


def _name(numbers: Sequence[int]) -> str:
    return "fit-" + "-".join(map(str, numbers))


def _keep(surrogate: Surrogate, task: TrainingTask, fit: Fit, observations: list[Observation]) -> None:
    """Checkpoint an unfinished fit if one is due."""
    if fit.epochs_done == surrogate.trial.training.epochs or not surrogate.checkpoints.epoch_due:
        return
    states = [observation.state() for observation in observations]
    selected = {} if task.selection is None else task.selection.state()
    if None not in states:
        content = {**fit.state(), "observations": states, "selection": selected}
        surrogate.checkpoints.write(_name(task.runs), content)


def _restore(surrogate: Surrogate, task: TrainingTask, fit: Fit, observations: list[Observation]) -> None:
    """Restore a fit from its checkpoint; ignore a checkpoint in other modes."""
    state = surrogate.checkpoints.read(_name(task.runs))
    if state is None or not fit.fits(state):
        return
    fit.restore(state)
    if task.selection is not None:
        task.selection.restore(state["selection"])
    for observation, of_run in zip(observations, state["observations"], strict=True):
        observation.restore(of_run)
