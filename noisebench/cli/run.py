"""`noisebench run` and `resume`: run a sweep on this machine, then show its tables."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.folders import warn_of_files
from noisebench.cli.options import DEFAULT_RESULTS, Data, Json, Replace, Results, Settings, SweepName
from noisebench.cli.terminal import printable
from noisebench.errors import InputError

if TYPE_CHECKING:
    from noisebench.engine.options import Options
    from noisebench.engine.run import Outcome
    from noisebench.records.folders import ResultsFolder
    from noisebench.sweep.sweep import Sweep

Cpus = Annotated[
    int | None, typer.Option(min=1, help="CPU threads to use, one for each trial; default: all.")
]
Gpus = Annotated[int | None, typer.Option(min=0, help="GPUs to use; default: all.")]
TrialsPerGpu = Annotated[
    int | None,
    typer.Option(min=1, help="Trials that share one GPU; default: as calibrated for each model, else one."),
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
        help="Time after which a trial fails; default: ten times its estimate, at least 10.",
    ),
]
AllowCode = Annotated[
    str | None,
    typer.Option(
        "--allow-code",
        metavar="MODULE[,MODULE]",
        help="Allow the sweep to run functions of these modules; needed if it was imported.",
    ),
]
OneBlock = Annotated[str | None, typer.Option("--block", help="Run only this block of the sweep.")]
Inline = Annotated[
    bool,
    typer.Option("--inline", help="Run one trial after another in this process, without Ray; for debugging."),
]

# What tables are printed by, in this order.
METRICS = {"f1": "F1", "auroc": "AUROC", "average_precision": "average precision"}


@dataclass(frozen=True)
class LocalOptions:
    """The options that say how to run on this machine; None or False where the user did not give them."""

    cpus: int | None = None
    gpus: int | None = None
    trials_per_gpu: int | None = None
    memory_gb: float | None = None
    allowance_minutes: float | None = None
    block: str | None = None
    inline: bool = False
    trial: str | None = None

    def given(self) -> list[str]:
        """Return the names of the options that the user gave, such as --cpus."""
        values = dataclasses.asdict(self)
        return [f"--{name.replace('_', '-')}" for name, value in values.items() if value not in (None, False)]

    def options(self, sweep: Sweep, results: Path, data: Path | None) -> Options:
        """Return the engine's options for a sweep."""
        from noisebench.engine.options import Options

        return Options(
            data_dir=None if data is None else data.absolute(),
            cpus=self.cpus,
            gpus=self.gpus,
            trials_per_gpu=_by_model(self.trials_per_gpu, sweep, results),
            memory_mb=None if self.memory_gb is None else 1024 * self.memory_gb,
            allowance_minutes=self.allowance_minutes,
            block=self.block,
            inline=self.inline,
            trial=self.trial,
        )


def run(
    spec: Annotated[Path, typer.Argument(help="The sweep's YAML file.")],
    settings: Settings = None,
    replace: Replace = False,
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

    Completed trials are never repeated; failed trials are repeated by `resume`.
    """
    from noisebench.sweep.sweep import load_sweep

    sweep = load_sweep(spec, settings or ())
    local = LocalOptions(cpus, gpus, trials_per_gpu, memory_gb, allowance_minutes, block, inline)
    options = dataclasses.replace(local.options(sweep, results, data), replace_sweep=replace)
    _run(sweep, results, options, as_json)


def resume(
    sweep: SweepName,
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
        str | None, typer.Option("--trial", help="Run only this trial, even if it has a result.")
    ] = None,
    allow_code: AllowCode = None,
    pending_only: Annotated[
        bool, typer.Option("--pending-only", help="Do not repeat the failed trials.")
    ] = False,
    site: Annotated[
        Path | None,
        typer.Option("--site", help="Submit to this cluster; default: where it was submitted before."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run what is pending of a sweep and what has failed, then print its tables.

    A sweep that was submitted to a cluster is submitted again, unless an option asks for this machine.
    """
    local = LocalOptions(cpus, gpus, trials_per_gpu, memory_gb, allowance_minutes, block, inline, trial)
    if _is_for_a_site(sweep, results, site, local):
        from noisebench.cli.slurm import print_submitted, resume_on_site

        # The site's profile may name the results folder if the user did not.
        named = None if results == DEFAULT_RESULTS else results
        allowed = modules_of(allow_code)
        sent = resume_on_site(sweep, site, named, data, allowed, pending_only=pending_only)
        print_submitted(sweep, sent, as_json)
        if sent.failed:
            raise typer.Exit(1)
        return
    from noisebench.records.folders import ResultsFolder
    from noisebench.records.manifest import kept_sweep

    kept = kept_sweep(ResultsFolder(results.absolute()).sweep(sweep), modules_of(allow_code))
    options = local.options(kept, results, data)
    options = dataclasses.replace(options, include_failed=not pending_only, restart=True)
    _run(kept, results, options, as_json)


def modules_of(allow_code: str | None) -> list[str]:
    """Return the modules of an option `--allow-code a,b`."""
    return [module.strip() for module in (allow_code or "").split(",") if module.strip()]


def _is_for_a_site(sweep: str, results: Path, site: Path | None, local: LocalOptions) -> bool:
    """Return whether the sweep is to be submitted; raise InputError for options that contradict that."""
    if site is not None:
        if local.given():
            raise InputError(
                f"{', '.join(local.given())}: not with --site; the site's profile says how to run"
            )
        return True
    if local.given():
        return False
    from noisebench.cli.slurm import submitted_results
    from noisebench.slurm.messages import Messages

    return Messages(submitted_results(sweep, results).sweep(sweep)).kept_submission() is not None


def _by_model(trials_per_gpu: int | None, sweep: Sweep, results: Path) -> Mapping[str, int]:
    from noisebench.sweep.calibration import Calibration

    if trials_per_gpu is not None:
        return dict.fromkeys({trial.training.model for trial in sweep.trials()}, trials_per_gpu)
    return Calibration.read(results).trials_per_gpu(sweep.trials())


def _run(sweep: Sweep, results: Path, options: Options, as_json: bool) -> None:
    from noisebench.cli.live import LiveProgress
    from noisebench.engine.run import run_sweep
    from noisebench.records.folders import ResultsFolder

    folder = ResultsFolder(results.absolute())
    with LiveProgress(sweep.name) as live:
        outcome = run_sweep(sweep, folder, options, live.update)
    warn_of_files(outcome.report)
    _print_results(sweep, folder, outcome, as_json)
    _print_outcome(sweep.name, outcome)
    if outcome.failed or outcome.unfinished or outcome.held:
        raise typer.Exit(1)


def _print_results(sweep: Sweep, folder: ResultsFolder, outcome: Outcome, as_json: bool) -> None:
    from noisebench.cli.table import print_tables
    from noisebench.store.blocks import sweep_tables
    from noisebench.store.store import Store

    # The run has just taken in the journal, so the snapshot is opened without another ingest.
    with Store(folder, outcome.report) as store:
        tables = {metric: sweep_tables(store, sweep.name, metric) for metric in METRICS}
    if not as_json:
        for metric, title in METRICS.items():
            print_tables(tables[metric], title)
        return
    keys = ("total", "completed", "failed", "unfinished", "started", "held", "stopped")
    counts = {key: getattr(outcome, key) for key in keys}
    rows = {metric: [dataclasses.asdict(cell) for cell in cells] for metric, cells in tables.items()}
    # "cells" are those by F1, as before there were others.
    print(json.dumps({"sweep": sweep.name, **counts, "cells": rows.pop("f1"), **rows}))


def _print_outcome(sweep: str, outcome: Outcome) -> None:
    summary = f"{outcome.completed} of {outcome.total} trials completed"
    summary += f", {outcome.started} of them now" if outcome.started else ", nothing was pending"
    if outcome.failed:
        summary += f"; {outcome.failed} failed: `noisebench failures {sweep}` says why"
        summary += f", `noisebench resume {sweep}` runs them again"
    if outcome.unfinished:
        summary += f"; {outcome.unfinished} unfinished: `noisebench resume {sweep}` continues"
    print(summary, file=sys.stderr)
    for block, error in outcome.stopped.items():
        message = f"block {block} is stopped: all its first trials failed with {error}"
        print(printable(message), file=sys.stderr)
    if outcome.held:
        message = f"{outcome.held} trials were not started: fix this error, then `noisebench resume {sweep}`"
        print(message, file=sys.stderr)
