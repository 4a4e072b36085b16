"""`noisebench detect`: which labels of a user's own data are probably wrong."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.detect_request import (
    DetectRequest,
    kept_data_and_sweep,
    request_with_samples,
    say,
    sweep_with_plants,
)
from noisebench.cli.options import DEFAULT_RESULTS, Data, Json, Settings
from noisebench.cli.run import AllowanceMinutes, Cpus, Gpus, Inline, LocalOptions
from noisebench.cli.slurm import SharedResults
from noisebench.errors import InputError

if TYPE_CHECKING:
    from noisebench.engine.progress import Progress
    from noisebench.slurm.site import Site
    from noisebench.sweep.sweep import Sweep


PLANTINGS = 3


def detect(
    own_data: Annotated[
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
    request = DetectRequest(
        own_data, name or sweep_name(own_data), folder, data, size, skip_broken, root, again, choices
    )
    request, source = request_with_samples(request)
    kept, sweep = kept_data_and_sweep(request, source)
    failed = 0
    for phase in ("detect", "tune")[: 1 + tune]:
        if phase == "tune":
            sweep = sweep_with_plants(request, sweep, kept, plantings or PLANTINGS)
        if profile is not None and _submitted(request, sweep, profile, as_json):
            return
        failed = _run(request, sweep, local) if profile is None else 0
    from noisebench.cli.detect_output import print_report
    from noisebench.cli.suspects import written_suspects

    report = written_suspects(sweep, folder, kept, own_data)
    for note in report.notes:
        say(f"warning: {note}")
    print_report(sweep.name, report, as_json)
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


def _submitted(request: DetectRequest, sweep: Sweep, profile: Site, as_json: bool) -> bool:
    """Submit what is pending; return whether there was anything, else the suspects can be written."""
    from noisebench.cli.slurm import print_submitted, shared_data
    from noisebench.slurm.submit import Request, submit

    sent = submit(
        sweep, profile, request.results, Request(shared_data(request.data_dir, profile), replace=True)
    )
    if not sent.jobs and not sent.released and not sent.failed:
        return False
    print_submitted(sweep.name, sent, as_json)
    say("repeat the command when the jobs have ended: it then writes the suspects")
    if sent.failed:
        raise typer.Exit(1)
    return True


def _run(request: DetectRequest, sweep: Sweep, local: LocalOptions) -> int:
    """Run what is pending here; return how many trials have failed."""
    from noisebench.cli.learning import LOOK_SECONDS, EarlyWarning
    from noisebench.cli.live import LiveProgress
    from noisebench.engine.run import run_sweep
    from noisebench.records.periodic import periodically

    options = local.options(sweep, request.results.root, request.data_dir)
    options = replace(options, replace_sweep=True, include_failed=True, restart=True)
    early = EarlyWarning(sweep, request.results, say)
    looks = periodically(early.look, LOOK_SECONDS, "early warning")
    with LiveProgress(sweep.name) as live, looks:

        def update(progress: Progress) -> None:
            live.update(progress)
            early.look()

        outcome = run_sweep(sweep, request.results, options, update)
    if outcome.failed:
        say(f"{outcome.failed} trials failed: `noisebench failures {sweep.name}` says why")
    if outcome.unfinished:
        say("interrupted; repeat the command to continue")
        raise typer.Exit(1)
    return outcome.failed
