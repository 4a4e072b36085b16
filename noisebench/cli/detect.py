"""`noisebench detect`: which labels of a user's own data are probably wrong."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.options import DEFAULT_RESULTS, Data, Json, Settings
from noisebench.cli.run import AllowanceMinutes, Cpus, Gpus, Inline, LocalOptions
from noisebench.cli.slurm import SharedResults
from noisebench.cli.terminal import printable
from noisebench.errors import DataError, InputError

if TYPE_CHECKING:
    from noisebench.data.own.kept import OwnData
    from noisebench.data.own.source import Source
    from noisebench.engine.progress import Progress
    from noisebench.records.folders import ResultsFolder
    from noisebench.slurm.site import Site
    from noisebench.sweep.detect_sweep import Choices, OwnShape
    from noisebench.sweep.sweep import Sweep
    from noisebench.sweep.trial import Training


PLANTINGS = 3


@dataclass(frozen=True)
class _Request:
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


def detect(
    own: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A folder with one sub-folder of images for each class, a .csv or .parquet file with path "
            "and label, an .npz file with X and y, or your own module:function.",
        ),
    ],
    loss: Annotated[
        str | None,
        typer.Option(
            "--loss",
            help="As in a sweep: CE, '{name: BL, gamma: 0.3}'; default: chosen among CE and Blurry Loss.",
        ),
    ] = None,
    detector: Annotated[
        list[str] | None,
        typer.Option(
            "--detector", help="As in a sweep; repeatable, the first one ranks. Default: self-confidence."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="As in a sweep; default: by the data and their size.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            exists=True,
            dir_okay=False,
            help="Start a model of torchvision from this file, a state dict; its last layer may differ.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", min=8, help="Height and width of images; default: theirs up to 64, else 64."),
    ] = None,
    settings: Settings = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The name of the sweep; default: that of the data.")
    ] = None,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune",
            help="Also plant known wrong labels: reject losses that do not find them, compare flag rules, "
            "and bracket how many labels are wrong.",
        ),
    ] = False,
    plantings: Annotated[
        int | None,
        typer.Option(
            "--plantings",
            min=1,
            max=20,
            help="With --tune: how often, default 3. Each takes the time again.",
        ),
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out images that cannot be read.")
    ] = False,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root", file_okay=False, help="The folder of a label table's paths; default: the table's."
        ),
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Judge the labels as corrected by `noisebench review` of this data."),
    ] = False,
    results: SharedResults = None,
    data: Data = None,
    site: Annotated[
        Path | None, typer.Option("--site", help="Submit to this cluster instead of running here.")
    ] = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    allowance_minutes: AllowanceMinutes = None,
    inline: Inline = False,
    as_json: Json = False,
) -> None:
    """Find labels of your own data that are probably wrong.

    Trains models on parts of the data, judges each sample by a model that has not seen it, and writes the
    suspects into the results folder: a table, and a page to review them. Repeat the command to continue.
    """
    from noisebench.records.folders import ResultsFolder
    from noisebench.sweep.detect_sweep import Choices, sweep_name

    if plantings is not None and not tune:
        raise InputError(f"--plantings {plantings}: only with --tune, which plants wrong labels; add it")
    local = LocalOptions(cpus=cpus, gpus=gpus, allowance_minutes=allowance_minutes, inline=inline)
    profile = _site(site, local)
    folder = ResultsFolder((results or _default_results(profile)).absolute())
    all_settings = (*(settings or ()), *_first_weights(weights))
    choices = Choices(model, loss, tuple(detector or ()), all_settings)
    request = _Request(own, name or sweep_name(own), folder, data, size, skip_broken, root, again, choices)
    request, source = _read(request)
    kept, sweep = _prepared(request, source)
    failed = 0
    for phase in ("detect", "tune")[: 1 + tune]:
        if phase == "tune":
            sweep = _with_plants(request, sweep, kept, plantings or PLANTINGS)
        if profile is not None and _submitted(request, sweep, profile, as_json):
            return
        failed = _run(request, sweep, local) if profile is None else 0
    from noisebench.cli.detect_output import print_found
    from noisebench.cli.suspects import written_suspects

    found = written_suspects(sweep, folder, kept, own)
    for note in found.notes:
        _say(f"warning: {note}")
    print_found(sweep.name, found, as_json)
    if failed:
        raise typer.Exit(1)


def _first_weights(file: Path | None) -> tuple[str, ...]:
    return () if file is None else (f"training.weights={json.dumps(os.path.realpath(file))}",)


def _site(path: Path | None, local: LocalOptions) -> Site | None:
    if path is None:
        return None
    from noisebench.slurm.site import load_site

    if local.given():
        raise InputError(f"{', '.join(local.given())}: not with --site; the site's profile says how to run")
    return load_site(path)


def _default_results(profile: Site | None) -> Path:
    return Path(profile.folders.results) if profile and profile.folders.results else DEFAULT_RESULTS


def _read(request: _Request) -> tuple[_Request, Source]:
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


def _prepared(request: _Request, source: Source) -> tuple[OwnData, Sweep]:
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
    kept = keep(
        source, request.results.own_data, size=request.size, skip_broken=request.skip_broken, say=_say
    )
    for note in kept.source.notes:
        _say(f"warning: {note}")
    about = kept.about
    shape = _shape(kept.source, (about.channels, about.height, about.width))
    return kept, detect_sweep(request.name, kept.content, shape, request.choices)


def _check_classifier(training: Training) -> None:
    from noisebench.catalogue.models import TORCHVISION
    from noisebench.science.vision import check_classifier
    from noisebench.training.weights import user_state

    name, file = training.model.removeprefix(TORCHVISION), training.weights
    try:
        check_classifier(name, None if file is None else user_state(Path(file), training.weights_content))
    except DataError as error:
        raise InputError(f"--weights: {error}") from None


def _with_plants(request: _Request, sweep: Sweep, kept: OwnData, plantings: int) -> Sweep:
    """Return the sweep with further blocks, in which the same losses judge planted errors."""
    from noisebench.cli.planting import planted_contents
    from noisebench.sweep.detect_sweep import detect_sweep

    planted = planted_contents(sweep, request.results, kept, plantings)
    choices = replace(request.choices, planted=planted)
    about = kept.about
    shape = _shape(kept.source, (about.channels, about.height, about.width))
    return detect_sweep(request.name, kept.content, shape, choices)


def _shape(source: Source, of_sample: tuple[int, int, int] | None = None) -> OwnShape:
    from noisebench.sweep.detect_sweep import OwnShape

    if of_sample is None:
        of_sample = (1, 1, 1) if source.has_features else (3, 28, 28)
    return OwnShape(len(source.ids), len(source.classes), *of_sample)


def _refuse_other_sweep(request: _Request, source: Source) -> None:
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


def _submitted(request: _Request, sweep: Sweep, profile: Site, as_json: bool) -> bool:
    """Submit what is pending; return whether there was anything, else the suspects can be written."""
    from noisebench.cli.slurm import print_submitted, shared_data
    from noisebench.slurm.submit import Request, submit

    sent = submit(
        sweep, profile, request.results, Request(shared_data(request.data_dir, profile), replace=True)
    )
    if not sent.jobs and not sent.released and not sent.failed:
        return False
    print_submitted(sweep.name, sent, as_json)
    _say("repeat the command when the jobs have ended: it then writes the suspects")
    if sent.failed:
        raise typer.Exit(1)
    return True


def _run(request: _Request, sweep: Sweep, local: LocalOptions) -> int:
    """Run what is pending here; return how many trials have failed."""
    from noisebench.cli.learning import LOOK_SECONDS, EarlyWarning
    from noisebench.cli.live import LiveProgress
    from noisebench.engine.run import run_sweep
    from noisebench.records.periodic import periodically

    options = local.options(sweep, request.results.root, request.data_dir)
    options = replace(options, replace_sweep=True, include_failed=True, restart=True)
    early = EarlyWarning(sweep, request.results, _say)
    looks = periodically(early.look, LOOK_SECONDS, "early warning")
    with LiveProgress(sweep.name) as live, looks:

        def update(progress: Progress) -> None:
            live.update(progress)
            early.look()

        outcome = run_sweep(sweep, request.results, options, update)
    if outcome.failed:
        _say(f"{outcome.failed} trials failed: `noisebench failures {sweep.name}` says why")
    if outcome.unfinished:
        _say("interrupted; repeat the command to continue")
        raise typer.Exit(1)
    return outcome.failed


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr)
