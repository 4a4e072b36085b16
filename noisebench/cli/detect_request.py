"""The request of `noisebench detect`: which samples, labels and sweep the user's options mean."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from noisebench.cli.terminal import printable
from noisebench.errors import DataError, InputError

if TYPE_CHECKING:
    from noisebench.data.own.kept import OwnData
    from noisebench.data.own.source import Source
    from noisebench.records.folders import ResultsFolder
    from noisebench.sweep.detect_sweep import Choices, OwnShape
    from noisebench.sweep.sweep import Sweep
    from noisebench.sweep.trial import Training


@dataclass(frozen=True)
class DetectRequest:
    """What the user asked for, with the results folder."""

    data: str
    name: str
    results: ResultsFolder
    data_dir: Path | None
    size: int | None
    skip_broken: bool
    root: Path | None
    again: bool
    choices: Choices


def request_with_samples(request: DetectRequest) -> tuple[DetectRequest, Source]:
    """Return the samples; with --again, those with corrected labels, and the request for a new name."""
    from noisebench.data.own.folder import as_text
    from noisebench.data.own.label_table import corrected
    from noisebench.data.own.read import read_source
    from noisebench.review.files import SuspectFiles

    source = read_source(request.data, request.data_dir, request.root)
    # A user's function is looked up in this folder.
    choices = replace(request.choices, data=as_text(os.path.realpath(source.name)))
    request = replace(request, choices=choices)
    if not request.again:
        return request, source
    names = [request.name, *(f"{request.name}-{number}" for number in range(2, 1000))]
    files = [SuspectFiles(request.results.sweep(name).suspects).labels for name in names]
    reviewed = next(position for position, file in enumerate([*files, Path()]) if not file.is_file())
    # Each round was reviewed with the labels of the round before.
    for file in files[:reviewed]:
        source = corrected(source, file)
    if reviewed == 0:
        raise InputError(
            f"{files[0]}: missing; `noisebench review {request.name} --decisions FILE` writes it"
        )
    return replace(request, name=names[reviewed]), source


def kept_data_and_sweep(request: DetectRequest, source: Source) -> tuple[OwnData, Sweep]:
    """Return the data, kept in the results folder, and their sweep."""
    from noisebench.catalogue.models import TORCHVISION
    from noisebench.data.own.cache import keep
    from noisebench.sweep.detect_sweep import detect_sweep

    # A wrong option is refused before anything is written, with a content that is not known yet.
    first = detect_sweep(request.name, "0" * 16, _shape(source), request.choices)
    for training in {trial.training for trial in first.trials()}:
        if training.model.startswith(TORCHVISION):
            _check_classifier(training)
    _refuse_other_sweep(request, source)
    kept = keep(source, request.results.own_data, size=request.size, skip_broken=request.skip_broken, say=say)
    for note in kept.source.notes:
        say(f"warning: {note}")
    about = kept.about
    shape = _shape(kept.source, (about.channels, about.height, about.width))
    return kept, detect_sweep(request.name, kept.content, shape, request.choices)


def sweep_with_plants(request: DetectRequest, sweep: Sweep, kept: OwnData, plantings: int) -> Sweep:
    """Return the sweep with further blocks, in which the same losses judge planted errors."""
    from noisebench.cli.planting import planted_contents
    from noisebench.sweep.detect_sweep import detect_sweep

    planted = planted_contents(sweep, request.results, kept, plantings)
    choices = replace(request.choices, planted=planted)
    about = kept.about
    shape = _shape(kept.source, (about.channels, about.height, about.width))
    return detect_sweep(request.name, kept.content, shape, choices)


def _check_classifier(training: Training) -> None:
    from noisebench.catalogue.models import TORCHVISION
    from noisebench.science.vision import check_classifier
    from noisebench.training.weights import user_state

    name, file = training.model.removeprefix(TORCHVISION), training.weights
    try:
        check_classifier(name, None if file is None else user_state(Path(file), training.weights_content))
    except DataError as error:
        raise InputError(f"--weights: {error}") from None


def _shape(source: Source, of_sample: tuple[int, int, int] | None = None) -> OwnShape:
    from noisebench.sweep.detect_sweep import OwnShape

    if of_sample is None:
        of_sample = (1, 1, 1) if source.has_features else (3, 28, 28)
    return OwnShape(len(source.ids), len(source.classes), *of_sample)


def _refuse_other_sweep(request: DetectRequest, source: Source) -> None:
    """Raise InputError if the name is that of a sweep which the user wrote, or that judges other data."""
    from noisebench.data.own.cache import content_of
    from noisebench.sweep.detect_sweep import data_of, is_of_content

    file = request.results.sweep(request.name).spec
    if not file.is_file():
        return
    spec = file.read_text(encoding="utf-8")
    former = data_of(spec)
    # Data may change in their place, and the same data may be moved.
    if former == request.choices.data or is_of_content(spec, content_of(source, request.size)):
        return
    owner = "another sweep" if former is None else f"other data ({former})"
    raise InputError(f"'{request.name}' is the name of {owner} in {request.results.root}; give --name")


def say(text: str) -> None:
    """Print a line for the user on stderr."""
    print(printable(text), file=sys.stderr)
