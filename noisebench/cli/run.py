"""`noisebench run` and `resume`: run a sweep on this machine, then show its tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.options import DEFAULT_RESULTS, Data, Json, Results
from noisebench.errors import InputError

if TYPE_CHECKING:
    from noisebench.engine.options import Options
    from noisebench.engine.run import Outcome
    from noisebench.records.folders import ResultsFolder
    from noisebench.sweep.sweep import Sweep

Cpus = Annotated[int | None, typer.Option(min=1, help="CPU threads to use, one a trial; default: all.")]
Gpus = Annotated[int | None, typer.Option(min=0, help="GPUs to use; default: all.")]
TrialsPerGpu = Annotated[
    int | None,
    typer.Option(
        min=1, help="Trials of any model that share one GPU; default: as calibrated for each, else one."
    ),
]
MemoryGb = Annotated[
    float | None,
    typer.Option(
        "--memory-gb", min=0.1, help="GiB that all trials may take together; default: what is free."
    ),
]
AllowanceMinutes = Annotated[
    float | None,
    typer.Option(
        "--allowance-minutes",
        min=0.01,
        help="How long a trial may take; default: ten times its estimate, at least 10.",
    ),
]
AllowCode = Annotated[
    str | None,
    typer.Option(
        "--allow-code",
        metavar="MODULE[,MODULE]",
        help="Let the sweep run functions of these modules, where it came from somebody else.",
    ),
]
OneBlock = Annotated[str | None, typer.Option("--block", help="Run this block of the sweep only.")]
Inline = Annotated[
    bool,
    typer.Option("--inline", help="One trial after another in this process, without Ray; for debugging."),
]


def run(
    spec: Annotated[Path, typer.Argument(help="The sweep's YAML file.")],
    results: Results = DEFAULT_RESULTS,
    data: Data = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    trials_per_gpu: TrialsPerGpu = None,
    memory_gb: MemoryGb = None,
    allowance_minutes: AllowanceMinutes = None,
    block: OneBlock = None,
    inline: Inline = False,
    as_json: Json = False,
) -> None:
    """Run what is pending of a sweep on this machine, then print its tables.

    Completed trials are never repeated, failed ones only by `resume`.
    """
    from noisebench.sweep.sweep import load_sweep

    sweep = load_sweep(spec)
    options = _options(
        sweep, results, data, cpus, gpus, trials_per_gpu, memory_gb, allowance_minutes, block, inline
    )
    _run(sweep, results, options, as_json)


def resume(
    sweep: Annotated[str, typer.Argument(help="The sweep's name, as `noisebench status` lists it.")],
    results: Results = DEFAULT_RESULTS,
    data: Data = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    trials_per_gpu: TrialsPerGpu = None,
    memory_gb: MemoryGb = None,
    allowance_minutes: AllowanceMinutes = None,
    block: OneBlock = None,
    inline: Inline = False,
    trial: Annotated[
        str | None, typer.Option("--trial", help="Run this one trial, even if it has a result.")
    ] = None,
    allow_code: AllowCode = None,
    pending_only: Annotated[
        bool, typer.Option("--pending-only", help="Leave the failed trials alone.")
    ] = False,
    site: Annotated[
        Path | None, typer.Option("--site", help="Submit it to this cluster instead of running it here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run what is pending of a sweep, with what failed, then print its tables; with --site, submit it."""
    if site is not None:
        _refuse_local_options(
            {
                "--cpus": cpus,
                "--gpus": gpus,
                "--trials-per-gpu": trials_per_gpu,
                "--memory-gb": memory_gb,
                "--allowance-minutes": allowance_minutes,
                "--block": block,
                "--trial": trial,
                "--inline": inline or None,
            }
        )
        from noisebench.cli.slurm import resume_on_site

        # The site may name the folder, unless somebody else did.
        named = None if results == DEFAULT_RESULTS else results
        allowed = modules_of(allow_code)
        resume_on_site(sweep, site, named, data, allowed, pending_only=pending_only, as_json=as_json)
        return
    from noisebench.records.folders import ResultsFolder
    from noisebench.records.manifest import kept_sweep

    kept = kept_sweep(ResultsFolder(results.absolute()).sweep(sweep), modules_of(allow_code))
    options = _options(
        kept, results, data, cpus, gpus, trials_per_gpu, memory_gb, allowance_minutes, block, inline
    )
    options = replace(options, include_failed=not pending_only, restart=True, trial=trial)
    _run(kept, results, options, as_json)


def modules_of(allow_code: str | None) -> list[str]:
    """Return the modules of an option `--allow-code a,b`."""
    return [module.strip() for module in (allow_code or "").split(",") if module.strip()]


def _options(
    sweep: Sweep,
    results: Path,
    data: Path | None,
    cpus: int | None,
    gpus: int | None,
    trials_per_gpu: int | None,
    memory_gb: float | None,
    allowance_minutes: float | None,
    block: str | None,
    inline: bool,
) -> Options:
    from noisebench.engine.options import Options

    return Options(
        data_dir=None if data is None else data.absolute(),
        cpus=cpus,
        gpus=gpus,
        trials_per_gpu=_by_model(trials_per_gpu, sweep, results),
        memory_mb=None if memory_gb is None else 1024 * memory_gb,
        allowance_minutes=allowance_minutes,
        block=block,
        inline=inline,
    )


def _refuse_local_options(given: dict[str, object]) -> None:
    wrong = [option for option, value in given.items() if value is not None]
    if wrong:
        raise InputError(f"{', '.join(wrong)}: not with --site, where the site's profile says how to run")


def _by_model(trials_per_gpu: int | None, sweep: Sweep, results: Path) -> Mapping[str, int]:
    from noisebench.catalogue.models import MODELS
    from noisebench.sweep.calibration import Calibration

    if trials_per_gpu is not None:
        return dict.fromkeys(MODELS, trials_per_gpu)
    return Calibration.read(results).trials_per_gpu(sweep.trials())


def _run(sweep: Sweep, results: Path, options: Options, as_json: bool) -> None:
    from noisebench.cli.live import LiveProgress
    from noisebench.engine.run import run_sweep
    from noisebench.records.folders import ResultsFolder

    folder = ResultsFolder(results.absolute())
    with LiveProgress(sweep.name) as live:
        outcome = run_sweep(sweep, folder, options, live.update)
    for skipped in outcome.report.skipped:
        print(f"warning: {skipped}", file=sys.stderr)
    _show(sweep, folder, outcome, as_json)
    if outcome.failed or outcome.unfinished or outcome.held:
        raise typer.Exit(1)


def _show(sweep: Sweep, folder: ResultsFolder, outcome: Outcome, as_json: bool) -> None:
    from noisebench.cli.table import print_tables
    from noisebench.store.states import table_cells

    cells = table_cells(folder.sweep(sweep.name), "f1")
    if as_json:
        keys = ("total", "completed", "failed", "unfinished", "started", "held", "stopped")
        print(
            json.dumps({"sweep": sweep.name, **{key: getattr(outcome, key) for key in keys}, "cells": cells})
        )
    else:
        print_tables(cells)
    said = f"{outcome.completed} of {outcome.total} trials completed"
    said += f", {outcome.started} of them now" if outcome.started else ", nothing was pending"
    if outcome.failed:
        said += f"; {outcome.failed} failed: `noisebench failures {sweep.name}` says why"
        said += f", `noisebench resume {sweep.name}` runs them again"
    if outcome.unfinished:
        said += f"; {outcome.unfinished} unfinished: `noisebench resume {sweep.name}` goes on"
    print(said, file=sys.stderr)
    for block, error in outcome.stopped.items():
        print(f"block {block} is stopped: its first trials all failed with {error}", file=sys.stderr)
    if outcome.held:
        said = f"{outcome.held} trials were not started: mend that, then `noisebench resume {sweep.name}`"
        print(said, file=sys.stderr)
