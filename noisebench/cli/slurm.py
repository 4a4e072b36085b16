"""`noisebench submit`: a sweep on a Slurm cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.options import DEFAULT_RESULTS, Data

if TYPE_CHECKING:
    from noisebench.slurm.submit import Submitted


def submit(
    spec: Annotated[Path, typer.Argument(help="The sweep's YAML file.")],
    site: Annotated[
        Path, typer.Option("--site", help="The cluster's profile, such as slurm/sites/mine.yaml.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the scripts for sbatch, submit nothing.")
    ] = False,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            envvar="NOISEBENCH_RESULTS",
            file_okay=False,
            help="Folder of all results, seen by every node; default: the site's.",
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Submit what is pending of a sweep: a driver, its standby, an array of workers; print their job ids."""
    from noisebench.slurm.script import scripts
    from noisebench.slurm.site import load_site
    from noisebench.slurm.submission import submission_for
    from noisebench.slurm.submit import pending_of
    from noisebench.slurm.submit import submit as send
    from noisebench.spec.sweep import load_sweep
    from noisebench.trial.layout import ResultsFolder

    sweep = load_sweep(spec)
    profile = load_site(site)
    folder = ResultsFolder((results or Path(profile.folders.results or DEFAULT_RESULTS)).absolute())
    shared_data = data or (Path(profile.folders.data) if profile.folders.data else None)
    if not dry_run:
        _say(sweep.name, send(sweep, profile, folder, shared_data and shared_data.absolute()))
        return
    pending, _ = pending_of(sweep, folder)
    if not pending:
        print("nothing is pending", file=sys.stderr)
        return
    submission = submission_for(sweep.name, pending, profile, folder)
    print("\n".join(f"##### {what}\n{text}" for what, text in scripts(submission)))


def _say(sweep: str, sent: Submitted) -> None:
    for role, job in sent.jobs:
        print(f"{role} {job}")
    said = f"{sent.pending} trials pending" if sent.pending else "nothing is pending"
    if sent.failed:
        said += f"; {sent.failed} failed: `noisebench resume {sweep}` runs them again, on one machine"
    print(said, file=sys.stderr)
    if sent.failed:
        raise typer.Exit(1)
