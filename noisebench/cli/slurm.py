"""`noisebench submit` and `cancel`: a sweep on a Slurm cluster, from its jobs to their end."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.options import DEFAULT_RESULTS, Data, Json, Results

SharedResults = Annotated[
    Path | None,
    typer.Option(
        "--results",
        envvar="NOISEBENCH_RESULTS",
        file_okay=False,
        help="Folder of all results, seen by every node; default: the site's.",
    ),
]

if TYPE_CHECKING:
    from noisebench.records.folders import ResultsFolder
    from noisebench.slurm.commands import Job
    from noisebench.slurm.site import Site
    from noisebench.slurm.submit import Submitted


def submit(
    spec: Annotated[Path, typer.Argument(help="The sweep's YAML file.")],
    site: Annotated[
        Path, typer.Option("--site", help="The cluster's profile, such as slurm/sites/mine.yaml.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the scripts for sbatch, submit nothing.")
    ] = False,
    results: SharedResults = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Submit what is pending of a sweep: a driver, its standby, an array of workers; print their job ids."""
    from noisebench.slurm.script import scripts
    from noisebench.slurm.site import load_site
    from noisebench.slurm.submission import submission_for
    from noisebench.slurm.submit import pending_of
    from noisebench.slurm.submit import submit as send
    from noisebench.sweep.sweep import load_sweep

    sweep = load_sweep(spec)
    profile = load_site(site)
    folder = shared_results(results, profile)
    if not dry_run:
        _say(sweep.name, send(sweep, profile, folder, shared_data(data, profile)), as_json)
        return
    pending, _ = pending_of(sweep, folder)
    if not pending:
        print("nothing is pending", file=sys.stderr)
        return
    submission = submission_for(sweep.name, pending, profile, folder)
    print("\n".join(f"##### {what}\n{text}" for what, text in scripts(submission)))


def resume_on_site(
    sweep: str, site: Path, results: Path | None, data: Path | None, *, pending_only: bool, as_json: bool
) -> None:
    """Submit what is pending of a sweep that the results folder knows, with what failed."""
    from noisebench.records.manifest import kept_sweep
    from noisebench.slurm.site import load_site
    from noisebench.slurm.submit import submit as send

    profile = load_site(site)
    folder = shared_results(results, profile)
    sent = send(
        kept_sweep(folder.sweep(sweep)),
        profile,
        folder,
        shared_data(data, profile),
        include_failed=not pending_only,
        restart=True,
    )
    _say(sweep, sent, as_json)


def cancel(
    sweep: Annotated[str, typer.Argument(help="The sweep's name.")],
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Cancel all jobs of a submitted sweep and wait until they have ended; `resume --site` goes on."""
    from noisebench.records.folders import ResultsFolder
    from noisebench.slurm.cancel import cancel as end

    def on_wait(left: list[Job]) -> None:
        if sys.stderr.isatty():
            print(f"\rwaiting for {len(left)} jobs to end ", end="", file=sys.stderr, flush=True)

    found = end(ResultsFolder(results.absolute()), sweep, on_wait)
    said = f"{found} jobs cancelled" if found else "no job was left to cancel"
    print(f"{said}; `noisebench resume {sweep} --site SITE` goes on", file=sys.stderr)


def shared_results(results: Path | None, site: Site) -> ResultsFolder:
    """Return the results folder as every node sees it: the one named here, else the site's."""
    from noisebench.records.folders import ResultsFolder

    return ResultsFolder((results or Path(site.folders.results or DEFAULT_RESULTS)).absolute())


def shared_data(data: Path | None, site: Site) -> Path | None:
    """Return the data folder as every node sees it: the one named here, else the site's."""
    found = data or (Path(site.folders.data) if site.folders.data else None)
    return None if found is None else found.absolute()


def _say(sweep: str, sent: Submitted, as_json: bool) -> None:
    if as_json:
        jobs = [{"role": role, "job": job} for role, job in sent.jobs]
        print(json.dumps({"sweep": sweep, "jobs": jobs, "pending": sent.pending, "failed": sent.failed}))
    else:
        for role, job in sent.jobs:
            print(f"{role} {job}")
    said = f"{sent.pending} trials pending" if sent.pending else "nothing is pending"
    if sent.jobs:
        said += f"; `noisebench status {sweep}` shows how far they are"
    if sent.failed:
        said += f"; {sent.failed} failed: `noisebench resume {sweep} --site SITE` runs them again"
    print(said, file=sys.stderr)
    if sent.failed:
        raise typer.Exit(1)
