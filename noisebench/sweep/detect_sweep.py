"""The sweep that `noisebench detect` writes: settings that suit a user's own data, by their size."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import yaml

from noisebench.catalogue.component import Component
from noisebench.catalogue.detectors import DETECTORS, descriptor_of
from noisebench.errors import InputError
from noisebench.sweep.sweep import Sweep, parse_sweep
from noisebench.sweep.sweep_file import NAME

BLOCK, TUNE_BLOCK = "detect", "tune"
# Detectors that leave out-of-fold probabilities.
_OF_PROBABILITIES = [name for name, each in DETECTORS.items() if "probabilities" in each.needs]
FOLDS = 5
_DEFAULT_DETECTOR = f"{{name: self-confidence, flag: posterior, folds: {FOLDS}}}"
# Detectors and flag rules that `--tune` compares with the user's; they judge the same trainings.
_COMPARED = tuple(
    f"{{name: {name}, folds: {FOLDS}}}"
    for name in ("self-confidence", "normalized-margin", "confident-learning")
)
# The file that messages about the options name.
OPTIONS = "noisebench detect"
_DESCRIPTION = "Label errors in %s; written by `noisebench detect`"
# Steps of the optimizer in each fit; few samples take more epochs, within limits.
_IMAGE_STEPS, _IMAGE_EPOCHS = 1200, (6, 40)
_FEATURE_STEPS, _FEATURE_EPOCHS = 2000, (10, 60)
# In the last third of the epochs the learning rate is a tenth.
_DECAY_AFTER, _DECAY = 2 / 3, 0.1
# Colour photographs take longer to learn than drawings and scans.
_COLOUR_EPOCHS = 15
# Below this number of features' samples a hidden layer memorises more than it learns.
_MLP_SAMPLES = 500
_BATCH, _SMALLEST_BATCH = 64, 8
# With many classes a robust loss hardly moves while all probabilities are small.
_FEW_CLASSES = 20


@dataclass(frozen=True)
class OwnShape:
    """What the settings depend on: N samples of K classes, each [C, H, W]; for features H = W = 1."""

    samples: int
    classes: int
    channels: int
    height: int
    width: int

    @property
    def has_features(self) -> bool:
        """Whether the samples are feature vectors."""
        return self.height == self.width == 1

    @property
    def batch_size(self) -> int:
        """The largest power of two up to a twentieth of the samples, from 8 to 64."""
        twentieth = max(1, self.samples // 20)
        return min(_BATCH, max(_SMALLEST_BATCH, 1 << (twentieth.bit_length() - 1)))

    @property
    def epochs(self) -> int:
        """The epochs that make enough steps."""
        steps = max(1, self.samples * (FOLDS - 1) // FOLDS // self.batch_size)
        wanted, (low, high) = (
            (_FEATURE_STEPS, _FEATURE_EPOCHS) if self.has_features else (_IMAGE_STEPS, _IMAGE_EPOCHS)
        )
        if not self.has_features and self.channels == 3:
            low = _COLOUR_EPOCHS
        return min(high, max(low, round(wanted / steps)))


@dataclass(frozen=True)
class Choices:
    """What the user chose: each in YAML, as in a sweep; None for the default.

    `planted` are the contents of the same data with planted errors, each of which another block judges.
    `data` is the path or name of the data, as text.
    """

    model: str | None = None
    loss: str | None = None
    detectors: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    planted: tuple[str, ...] = ()
    data: str = ""


def detect_sweep(name: str, content: str, shape: OwnShape, choices: Choices) -> Sweep:
    """Return the sweep for own data of this content.

    Raises InputError for a wrong name or choice, and for a detector that cannot judge so many classes.
    """
    if not re.fullmatch(NAME, name):
        raise InputError(f"--name '{name}': use letters, digits, '.', '_' and '-', such as photos-2")
    text = sweep_text(name, content, shape, choices)
    sweep = parse_sweep(text, OPTIONS, choices.settings)
    for detector in dict.fromkeys(trial.detector for trial in sweep.trials()):
        descriptor_of(detector).check_classes(shape.classes)
    return sweep


def sweep_text(name: str, content: str, shape: OwnShape, choices: Choices) -> str:
    """Return the YAML of the sweep."""
    for option, value in (("--model", choices.model), ("--loss", choices.loss)):
        if value is not None and "\n" in value:
            raise InputError(f"{option}: must be one line")
    loss, training = choices.loss or candidate_losses(shape), _training(shape, choices.model)
    rest = f"loss: {loss}, training: {{{training}}}, seeds: 1"
    blocks = {BLOCK: _block(content, shape, f"corruption: none, detector: [{_detectors(choices)}], {rest}")}
    corruption = (
        f"corruption: human, detector: {_compared(content, shape, choices)}" if choices.planted else ""
    )
    for number, content_of_plants in enumerate(choices.planted, start=1):
        blocks[f"{TUNE_BLOCK}-{number}"] = _block(content_of_plants, shape, f"{corruption}, {rest}")
    return f"""\
sweep: "{name}"
description: {yaml.safe_dump(_DESCRIPTION % choices.data, default_style='"', width=math.inf).strip()}
keep_evidence: true
blocks:
""" + "".join(f"  {block}: {{{fields}}}\n" for block, fields in blocks.items())


def _block(content: str, shape: OwnShape, rest: str) -> str:
    fields = f"channels: {shape.channels}, height: {shape.height}, width: {shape.width}"
    return f'dataset: {{own-data: "{content}", samples: {shape.samples}, {fields}}}, {rest}'


def _detectors(choices: Choices) -> str:
    """Return the detectors; one of them brings the probabilities that suggestions are made of."""
    detectors = list(choices.detectors)
    if not any(name in detector for name in _OF_PROBABILITIES for detector in detectors):
        detectors.append(_DEFAULT_DETECTOR)
    return ", ".join(detectors)


def _compared(content: str, shape: OwnShape, choices: Choices) -> str:
    """Return the detectors that judge plants: first the user's that judge by probabilities."""
    unplanted = replace(choices, planted=())
    of_user = detect_sweep(BLOCK, content, shape, unplanted)
    others = detect_sweep(BLOCK, content, shape, Choices(detectors=(_DEFAULT_DETECTOR, *_COMPARED)))
    detectors = dict.fromkeys(trial.detector for sweep in (of_user, others) for trial in sweep.trials())
    fields = [each.as_fields() for each in detectors if judges_probabilities(each)]
    return yaml.safe_dump(fields, default_flow_style=True, sort_keys=False, width=math.inf).strip()


def judges_probabilities(detector: Component) -> bool:
    """Whether a detector judges by out-of-fold probabilities."""
    return "probabilities" in descriptor_of(detector).needs_of(detector)


def candidate_losses(shape: OwnShape) -> str:
    """Return the losses to choose from: CE, and Blurry Loss, after epochs of CE if there are many classes."""
    delay = 0 if shape.classes <= _FEW_CLASSES else max(1, shape.epochs // 3)
    return f"[CE, {{name: BL, gamma: [0.2, 0.4, 0.6], delay: {delay}}}]"


def default_model(shape: OwnShape) -> str:
    """Return the model where none is chosen."""
    if shape.has_features:
        return "mlp" if shape.samples >= _MLP_SAMPLES else "linear"
    return "small-cnn"


def sweep_name(data: str) -> str:
    """Return a name for the sweep: that of the folder, file or function, with only valid characters."""
    stem = data.rstrip("/").split("/")[-1].split(":")[-1]
    stem = re.sub(r"\.(npz|csv|parquet)$", "", stem, flags=re.IGNORECASE)
    return re.sub(r"^[^A-Za-z0-9]+", "", re.sub(r"[^A-Za-z0-9._-]+", "-", stem)) or "own-data"


def data_of(spec: str) -> str | None:
    """Return the path or name of the data for which `noisebench detect` wrote a sweep's YAML.

    None if it did not write it.
    """
    description = str(yaml.safe_load(spec).get("description"))
    begin, end = _DESCRIPTION.split("%s")
    if not (description.startswith(begin) and description.endswith(end)):
        return None
    return description.removeprefix(begin).removesuffix(end)


def is_of_content(spec: str, content: str) -> bool:
    """Whether a sweep's YAML names own data of this content."""
    return "own-data:" in spec and content in spec


def _training(shape: OwnShape, model: str | None) -> str:
    settings: Sequence[str] = (
        f"model: {model or default_model(shape)}",
        "optimizer: adam",
        "learning_rate: 0.001",
        f"epochs: {shape.epochs}",
        f"batch_size: {shape.batch_size}",
        f"schedule: {{name: step, every: {math.ceil(_DECAY_AFTER * shape.epochs)}, factor: {_DECAY}}}",
        "input_scale: normalised",
        "precision: fast",
    )
    return ", ".join(settings)
