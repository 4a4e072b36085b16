"""The fits of a trial: read from checkpoints, or trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from noisebench.records.checkpoints import pack, unpack
from noisebench.training.fit_group import FitGroup, start_group
from noisebench.training.graph import capture_epochs
from noisebench.training.loop import EpochStatistics, train
from noisebench.training.observation import Fit, Observation
from noisebench.training.surrogate import Indices, Surrogate
from noisebench.training.task import Selection, TrainingTask

# Fits that are over before their last epoch must be trained alone.
Finish = Callable[[Fit, nn.Module], dict[str, Tensor]]

# The checkpoint that marks an epoch in which a step is captured, or replayed for the first time.
_CAPTURE = "capture"


def results_of(
    surrogate: Surrogate, fits: Sequence[Fit], finish: Finish, selection: Selection | None = None
) -> list[dict[str, Tensor]]:
    """Return the tensors of each fit: from its checkpoint, or from `finish` on the trained model.

    Models are trained one after another, or together if the surrogate's modes allow it. With a `selection`
    all of them are trained together, in steps that are neither grouped, compiled nor captured.
    """
    checkpoints = {fit.number: surrogate.checkpoints.read(_name_of(fit)) for fit in fits}
    results = {number: unpack(content) for number, content in checkpoints.items() if content is not None}
    missing = [fit for fit in fits if fit.number not in results]
    if selection is not None:
        _select_eagerly(surrogate)
        missing = list(fits) if missing else []  # no fit can be trained without the others
    for together in _groups(surrogate, missing) if selection is None else [missing] if missing else []:
        observations = [Observation(surrogate, fit) for fit in together]
        models = _train(surrogate, together, observations, selection)
        for fit, observation, model in zip(together, observations, models, strict=True):
            results[fit.number] = observation.rows, finish(fit, model)
            surrogate.checkpoints.write(_name_of(fit), pack(*results[fit.number]))
        surrogate.checkpoints.forget(_name_of_group(_numbers(together)))
    for fit in fits:
        surrogate.rows.extend(results[fit.number][0])
    return [results[fit.number][1] for fit in fits]


def _select_eagerly(surrogate: Surrogate) -> None:
    """Leave out the modes that a step with a selection cannot have."""
    modes = replace(surrogate.modes, graph=False, branches=False, grouped=False, compiled=False)
    if modes != surrogate.modes:
        surrogate.take_over(modes, ["each step selects samples: eager, one model after another"])


def _groups(surrogate: Surrogate, fits: Sequence[Fit]) -> list[list[Fit]]:
    """Split fits into groups trained together; all fits of a group have equally many samples."""
    if not surrogate.modes.together:
        return [[fit] for fit in fits]
    by_length: dict[int, list[Fit]] = {}
    for fit in fits:
        by_length.setdefault(len(_indices(surrogate, fit)), []).append(fit)
    return list(by_length.values())


def _train(
    surrogate: Surrogate, fits: Sequence[Fit], observations: list[Observation], selection: Selection | None
) -> list[nn.Module]:
    _avoid_repeated_crash(surrogate)
    task = _task(surrogate, fits, selection)
    models = [surrogate.fresh_model(fit.number, fit.classes or surrogate.dataset.classes) for fit in fits]
    group = start_group(models, task, surrogate.modes)
    _restore(surrogate, task, group, observations)
    epochs_of_capture = capture_epochs(task, group.epochs_done) if group.modes.graph else None
    _mark_capture(surrogate, group, epochs_of_capture)

    def after_epoch(group: FitGroup, statistics: list[EpochStatistics]) -> bool:
        _mark_capture(surrogate, group, epochs_of_capture)
        # Grouped models must be copied, so only where they are needed.
        needed = any(observation.needs_model for observation in observations)
        models = group.models() if needed else [None] * len(fits)
        for observation, model, of_fit in zip(observations, models, statistics, strict=True):
            observation.after_epoch(model, of_fit)
        finished = all(observation.finished for observation in observations)
        if not finished:
            _keep(surrogate, task, group, observations)
        return finished

    hooks = [observation.on_batch for observation in observations if observation.watching]
    train(group, task, hooks, after_epoch)
    if epochs_of_capture is not None:
        surrogate.checkpoints.forget(_CAPTURE)  # a fit that was over early may have left it
    surrogate.take_over(group.modes, group.notes)
    return group.models()


def _task(surrogate: Surrogate, fits: Sequence[Fit], selection: Selection | None) -> TrainingTask:
    return TrainingTask(
        inputs=surrogate.training,
        targets=torch.stack([surrogate.on_device(_targets(surrogate, fit)) for fit in fits]),
        indices=torch.stack([surrogate.on_device(_indices(surrogate, fit)) for fit in fits]),
        objective=surrogate.objective,
        training=surrogate.trial.training,
        fits=_numbers(fits),
        seed_for=surrogate.trial.seed_for,
        selection=selection,
    )


def _avoid_repeated_crash(surrogate: Surrogate) -> None:
    """Train without a graph if an earlier attempt of this trial ended in an epoch that captured one.

    A crash, or an error that makes the GPU unusable for the process, leaves no other trace.
    """
    if surrogate.modes.graph and surrogate.checkpoints.read(_CAPTURE) is not None:
        modes = replace(surrogate.modes, graph=False)
        surrogate.take_over(modes, ["no graph: an earlier attempt ended while it was captured"])


def _mark_capture(surrogate: Surrogate, group: FitGroup, epochs_of_capture: set[int] | None) -> None:
    """Write the mark if the next epoch is one of these, else remove it.

    None: this attempt captures nothing. The mark of an earlier attempt stays for later attempts.
    """
    if epochs_of_capture is None:
        return
    continues = group.epochs_done < surrogate.trial.training.epochs
    if continues and group.modes.graph and group.epochs_done in epochs_of_capture:
        surrogate.checkpoints.write(_CAPTURE, {})
    else:
        surrogate.checkpoints.forget(_CAPTURE)


def _targets(surrogate: Surrogate, fit: Fit) -> Indices:
    return surrogate.training_targets if fit.targets is None else fit.targets


def _indices(surrogate: Surrogate, fit: Fit) -> Indices:
    return np.arange(len(_targets(surrogate, fit))) if fit.indices is None else fit.indices


def _numbers(fits: Sequence[Fit]) -> tuple[int, ...]:
    return tuple(fit.number for fit in fits)


def _name_of(fit: Fit) -> str:
    """Return the name of the checkpoint of a finished fit."""
    return f"run-{fit.number}"


def _name_of_group(numbers: Sequence[int]) -> str:
    """Return the name of the checkpoint of unfinished fits that are trained together."""
    return "fit-" + "-".join(map(str, numbers))


def _keep(surrogate: Surrogate, task: TrainingTask, group: FitGroup, observations: list[Observation]) -> None:
    """Checkpoint an unfinished group if one is due."""
    if group.epochs_done == surrogate.trial.training.epochs or not surrogate.checkpoints.epoch_due:
        return
    states = [observation.state() for observation in observations]
    selected = {} if task.selection is None else task.selection.state()
    if None not in states:
        content = {**group.state(), "observations": states, "selection": selected}
        surrogate.checkpoints.write(_name_of_group(task.fits), content)


def _restore(
    surrogate: Surrogate, task: TrainingTask, group: FitGroup, observations: list[Observation]
) -> None:
    """Restore a group from its checkpoint; ignore a checkpoint in other modes."""
    state = surrogate.checkpoints.read(_name_of_group(task.fits))
    if state is None or not group.accepts(state):
        return
    group.restore(state)
    if task.selection is not None:
        task.selection.restore(state["selection"])
    for observation, of_fit in zip(observations, state["observations"], strict=True):
        observation.restore(of_fit)
