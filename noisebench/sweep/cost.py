"""Estimates of the time that a sweep takes, before it starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from noisebench.catalogue.datasets import dataset
from noisebench.catalogue.detector import AFTER_EPOCH
from noisebench.catalogue.detectors import descriptor_of
from noisebench.catalogue.gpus import EFFICIENCY, GPUS, Gpu
from noisebench.catalogue.models import Rate, model_of
from noisebench.sweep.trial import Trial

if TYPE_CHECKING:  # estimates of single trials need no YAML
    from noisebench.sweep.sweep import Sweep

SecondsOf = Callable[[Trial], float]
# Images/s by (model, image height).
Rates = Mapping[tuple[str, int], Rate]

# Per trial that trains: interpreter, Ray, detection, records.
OVERHEAD_SECONDS = 1.0
# Of a trial that judges evidence of another one: 0.13 on average over 19 detectors on digits (busy machine).
JUDGEMENT_SECONDS = 0.2


@dataclass(frozen=True)
class Budget:
    """A block's trials, and the estimated seconds of the pending ones on each kind of device.

    The pending trials need `trainings`: trials that differ in the detector alone may share one, and evidence
    that is kept needs none.
    `measured_seconds` are estimates for calibrated devices, by name. `unmeasured_seconds` are estimates from
    counted operations, by GPU and by the precision that all trials are assumed to have.
    """

    block: str
    trials: int
    completed: int
    trainings: int
    cpu_seconds: float
    v100_seconds: float
    measured_seconds: dict[str, float] = field(default_factory=dict)
    unmeasured_seconds: dict[str, dict[str, float]] = field(default_factory=dict)

    def header(self) -> tuple[str, ...]:
        """Return the heads of the columns of `row`."""
        measured = (f"{device} hours" for device in self.measured_seconds)
        counts = ("trials", "completed", "trainings to do")
        return ("block", *counts, "CPU-thread hours", "V100 hours from published minutes", *measured)

    def row(self) -> tuple[str, ...]:
        """Return the cells under `header`."""
        seconds = (self.cpu_seconds, self.v100_seconds, *self.measured_seconds.values())
        counts = (str(count) for count in (self.trials, self.completed, self.trainings))
        return (self.block, *counts, *(f"{s / 3600:.2f}" for s in seconds))

    def as_dict(self) -> dict[str, Any]:
        """Return the same for JSON; hours are of one CPU thread, and of one V100 by published minutes."""
        return {
            "block": self.block,
            "trials": self.trials,
            "completed": self.completed,
            "pending": self.trials - self.completed,
            "trainings": self.trainings,
            "judgements": self.trials - self.completed,
            "cpu_thread_hours": self.cpu_seconds / 3600,
            "v100_hours": self.v100_seconds / 3600,
            "measured_hours": {device: s / 3600 for device, s in self.measured_seconds.items()},
            "unmeasured_gpu_hours": {
                gpu: {precision: s / 3600 for precision, s in seconds.items()}
                for gpu, seconds in self.unmeasured_seconds.items()
            },
        }


def budgets(
    sweep: Sweep,
    completed: Container[str],
    measured: Mapping[str, SecondsOf] | None = None,
    kept: Mapping[str, Collection[str]] | None = None,
) -> list[Budget]:
    """Return the budget of each block, then of the whole sweep, which counts shared trials once.

    `measured` maps a calibrated device to a function from a trial to its seconds, `kept` the id of each kept
    evidence to the names of its arrays.
    """
    parts = [*((block.name, list(block.trials)) for block in sweep.blocks), ("total", list(sweep.trials()))]
    left = (
        (name, trials, [trial for trial in trials if trial.trial_id not in completed])
        for name, trials in parts
    )
    return [_budget(name, len(trials), pending, measured or {}, kept or {}) for name, trials, pending in left]


def _budget(
    name: str,
    trials: int,
    pending: list[Trial],
    measured: Mapping[str, SecondsOf],
    kept: Mapping[str, Collection[str]],
) -> Budget:
    # Of the trials that share a training, one that evaluates after each epoch costs the most.
    unkept = [trial for trial in pending if not _is_kept(trial, kept)]
    trained = list({trial.evidence_id: trial for trial in sorted(unkept, key=_evaluates)}.values())
    # Seeds of one configuration cost the same: estimate once.
    seeds = Counter(replace(trial, seed=0) for trial in trained)
    judged = JUDGEMENT_SECONDS * (len(pending) - len(trained))

    def total(seconds_of: SecondsOf) -> float:
        return judged + sum(count * seconds_of(trial) for trial, count in seeds.items())

    return Budget(
        block=name,
        trials=trials,
        completed=trials - len(pending),
        trainings=len(trained),
        cpu_seconds=total(partial(catalogued_seconds, gpu=False)),
        v100_seconds=total(partial(catalogued_seconds, gpu=True)),
        measured_seconds={device: total(seconds_of) for device, seconds_of in measured.items()},
        unmeasured_seconds={
            name: {precision: total(partial(_unmeasured_seconds, gpu, precision)) for precision in EFFICIENCY}
            for name, gpu in GPUS.items()
        },
    )


def _is_kept(trial: Trial, kept: Mapping[str, Collection[str]]) -> bool:
    """Return whether the trial only judges: its evidence is kept, with all arrays that it reads."""
    needs = descriptor_of(trial.detector).needs_of(trial.detector)
    return set(needs) <= set(kept[trial.evidence_id]) if trial.evidence_id in kept else False


def _unmeasured_seconds(gpu: Gpu, precision: str, trial: Trial) -> float:
    """Return the seconds of a trial in `precision`, from the counted operations of its model.

    A step takes as long as its arithmetic, or as its operations one after another, whichever is longer.
    """
    work, reached = model_of(trial.training.model).work, EFFICIENCY[precision]
    height, batch = image_shape(trial)[1], trial.training.batch_size
    speed = reached.share * (gpu.half if precision == "fast" else gpu.float32) * (work.shape[1] / height) ** 2
    step_seconds = max(batch * work.training / speed, work.operations * reached.operation_seconds)
    # Batches of evaluation are so large that only the arithmetic counts.
    rate = Rate(batch / step_seconds, speed / work.forward)
    return seconds_for(trial, {(trial.training.model, height): rate})


def catalogued_seconds(trial: Trial, *, gpu: bool, needs: Collection[str] = ()) -> float:
    """Return the estimated seconds of one trial on a V100, or on one CPU thread, at the catalogue's rates."""
    model = model_of(trial.training.model)
    rates = model.v100 if gpu else model.cpu
    return seconds_for(trial, {(model.name, height): rate for height, rate in rates.items()}, needs)


def seconds_for(trial: Trial, rates: Rates, needs: Collection[str] = ()) -> float:
    """Return the estimated seconds of one trial on a device with these rates.

    `needs` names arrays that it gathers for others.
    """
    trained, evaluated = _images(trial, needs)
    rate = _rate(trial.training.model, image_shape(trial)[1], rates)
    return trained * trial.training.epochs / rate.training + evaluated / rate.evaluation + OVERHEAD_SECONDS


def image_shape(trial: Trial) -> tuple[int, int, int]:
    """Return (channels, height, width) of a trial's images, as far as known without reading them."""
    channels, height, width = dataset(trial.dataset.name).shape
    component = trial.dataset
    return component.get("channels", channels), component.get("height", height), component.get("width", width)


def _images(trial: Trial, needs: Collection[str]) -> tuple[int, int]:
    """Return the images that all models train on in an epoch, and the images evaluated in all."""
    entry, plan = dataset(trial.dataset.name), descriptor_of(trial.detector).training
    samples = trial.dataset.get("samples") or entry.samples
    test_samples = min(entry.test_samples, samples)
    if entry.training_samples:
        return entry.training_samples, samples + test_samples
    evaluated = plan.fits_of(trial.detector) * test_samples + (samples if plan.held_out else 0)
    models = plan.fits_of(trial.detector) if plan.evaluates else int(_evaluates(trial, needs))
    evaluated += models * samples * trial.training.epochs
    return samples * plan.passes(trial.detector), evaluated


def _evaluates(trial: Trial, needs: Collection[str] = ()) -> bool:
    """Return whether the detector reads traces that are taken after each epoch, or `needs` names some."""
    detector_needs = descriptor_of(trial.detector).needs_of(trial.detector)
    return any(name.startswith(AFTER_EPOCH) for name in (*detector_needs, *needs))


def _rate(model: str, height: int, rates: Rates) -> Rate:
    """Return a model's rate at an image height, scaled by area from the nearest measured height."""
    measured = {size: rate for (name, size), rate in rates.items() if name == model}
    nearest = min(measured, key=lambda size: abs(size - height))
    scale = (nearest / height) ** 2
    return Rate(measured[nearest].training * scale, measured[nearest].evaluation * scale)
