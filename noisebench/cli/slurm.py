"""`noisebench submit`, `cancel`, `scale`: a sweep on a Slurm cluster, from its jobs to their end."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.options import DEFAULT_RESULTS, Data, Json, Replace, Results, Settings
from noisebench.errors import InputError

if TYPE_CHECKING:
    from noisebench.records.folders import ResultsFolder
    from noisebench.slurm.answers import Job
    from noisebench.slurm.site import Site
    from noisebench.slurm.submit import Submitted
    from noisebench.sweep.sweep import Sweep as ParsedSweep

SharedResults = Annotated[
    Path | None,
    typer.Option(
        "--results",
        envvar="NOISEBENCH_RESULTS",
        file_okay=False,
        help="Folder of all results, seen by every node; default: the site's.",
    ),
]
site_commands = typer.Typer(help="Write a cluster's profile.", no_args_is_help=True)

SubmittedSweep = Annotated[str, typer.Argument(help="The sweep's name.")]


def submit(
    spec: Annotated[Path, typer.Argument(help="The sweep's YAML file.")],
    site: Annotated[
        Path, typer.Option("--site", help="The cluster's profile, such as slurm/sites/mine.yaml.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the scripts for sbatch, submit nothing.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Worker jobs; default: as many as the site allows.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return only when no job is left.")] = False,
    settings: Settings = None,
    replace: Replace = False,
    results: SharedResults = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Submit what is pending of a sweep: a driver, its standby, an array of workers; print their job ids."""
    from noisebench.slurm.site import load_site
    from noisebench.slurm.submit import Request
    from noisebench.slurm.submit import submit as send
    from noisebench.sweep.sweep import load_sweep

    sweep = load_sweep(spec, settings or ())
    profile = load_site(site)
    folder = shared_results(results, profile)
    if dry_run:
        _print_scripts(sweep, profile, folder, workers)
        return
    request = Request(shared_data(data, profile), workers=workers, replace=replace)
    sent = send(sweep, profile, folder, request)
    print_submitted(sweep.name, sent, as_json)
    if wait and sent.jobs:
        _wait(folder, sweep.name)
    if sent.failed:
        raise typer.Exit(1)


def resume_on_site(
    sweep: str,
    site: Path | None,
    results: Path | None,
    data: Path | None,
    allow_code: Sequence[str],
    *,
    pending_only: bool,
) -> Submitted:
    """Submit what is pending of a sweep that was submitted before, with what failed.

    Without a site it is submitted to the site of the last submission.
    """
    from noisebench.records.manifest import kept_sweep
    from noisebench.slurm.messages import Messages
    from noisebench.slurm.ownership import require_own_folders
    from noisebench.slurm.site import load_site
    from noisebench.slurm.submit import Request
    from noisebench.slurm.submit import submit as send

    if site is None:
        folder = submitted_results(sweep, results)
        require_own_folders(folder.sweep(sweep))  # the profile's lines run in the user's name
        messages = Messages(folder.sweep(sweep))
        profile = load_site(messages.site_file)
        kept = messages.kept_submission()
        if data is None and kept is not None and kept.data is not None:
            data = Path(kept.data)
    else:
        profile = load_site(site)
        folder = shared_results(results, profile)
    request = Request(
        shared_data(data, profile),
        include_failed=not pending_only,
        restart=True,
    )
    return send(kept_sweep(folder.sweep(sweep), allow_code), profile, folder, request)


def cancel(
    sweep: SubmittedSweep,
    drain: Annotated[bool, typer.Option("--drain", help="Let the running trials end first.")] = False,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Cancel all jobs of a submitted sweep and wait until they have ended; `resume` continues."""
    from noisebench.slurm import control

    def on_wait(left: list[Job]) -> None:
        if sys.stderr.isatty():
            print(f"\rwaiting for {len(left)} jobs to end ", end="", file=sys.stderr, flush=True)

    folder = submitted_results(sweep, results).sweep(sweep)
    if drain:
        done = f"{control.drain(folder, on_wait)} workers have left, all jobs have ended"
    else:
        count = control.cancel(folder, on_wait)
        done = f"{count} jobs cancelled" if count else "no job was left to cancel"
    print(f"{done}; `noisebench resume {sweep}` continues", file=sys.stderr)


def scale(
    sweep: SubmittedSweep,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Number of worker jobs.")],
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Change the number of workers of a running sweep; those that leave finish their trials first."""
    from noisebench.slurm.control import scale as request

    request(submitted_results(sweep, results).sweep(sweep), workers)
    most = "as far as pending trials can fill them"
    print(f"the driver of '{sweep}' provides {workers} workers within a minute, {most}", file=sys.stderr)


@site_commands.command("init")
def site_init(
    output: Annotated[
        Path | None, typer.Option("--output", dir_okay=False, help="Write this file; default: print it.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The site's name; default: the cluster's.")
    ] = None,
) -> None:
    """Write a first profile of this cluster from what Slurm shows; `doctor --site` then checks it."""
    import getpass

    from noisebench.slurm.client import Slurm
    from noisebench.slurm.site import parse_site
    from noisebench.slurm.site_draft import draft_site

    slurm = Slurm()
    name = name or (output.stem if output else None) or slurm.cluster_name() or "cluster"
    text = draft_site(name, getpass.getuser(), slurm)
    parse_site(text, str(output or "profile"))
    if output is None:
        print(text, end="")
        return
    try:
        with output.open("x") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror}; name another --output") from None
    print(f"{output}: written; `noisebench doctor --site {output}` checks it", file=sys.stderr)


def print_job_logs(sweep: str, results: Path, worker: str | None) -> None:
    """Print the log of one worker of a submitted sweep, or those of all its drivers."""
    from noisebench.slurm.job_logs import driver_logs, worker_log

    folder = submitted_results(sweep, results).sweep(sweep)
    paths = driver_logs(folder) if worker is None else [worker_log(folder, worker)]
    for path in paths:
        print(f"# {path}", file=sys.stderr)
        print(path.read_text(errors="replace"), end="")


def submitted_results(sweep: str, results: Path | None) -> ResultsFolder:
    """Return the results folder of a submitted sweep: the one named, else where it was submitted last."""
    from noisebench.records.folders import ResultsFolder
    from noisebench.slurm.registry import results_of

    named = ResultsFolder((results or DEFAULT_RESULTS).absolute())
    if named.sweep(sweep).path.is_dir() or results not in (None, DEFAULT_RESULTS):
        return named
    return results_of(sweep) or named


def shared_results(results: Path | None, site: Site) -> ResultsFolder:
    """Return the results folder as every node sees it: the one named here, else the site's."""
    from noisebench.records.folders import ResultsFolder

    return ResultsFolder((results or Path(site.folders.results or DEFAULT_RESULTS)).absolute())


def shared_data(data: Path | None, site: Site) -> Path | None:
    """Return the data folder as every node sees it: the one named here, else the site's."""
    folder = data or (Path(site.folders.data) if site.folders.data else None)
    return None if folder is None else folder.absolute()


def _print_scripts(sweep: ParsedSweep, profile: Site, results: ResultsFolder, workers: int | None) -> None:
    from dataclasses import replace

    from noisebench.slurm.script import scripts
    from noisebench.slurm.submission import submission_for
    from noisebench.slurm.submit import pending_of

    pending, _ = pending_of(sweep, results)
    if not pending:
        print("nothing is pending", file=sys.stderr)
        return
    submission = submission_for(results.sweep(sweep.name), pending, profile)
    submission = replace(submission, workers=workers or submission.workers)
    print("\n".join(f"##### {what}\n{text}" for what, text in scripts(submission)))


def _wait(results: ResultsFolder, sweep: str) -> None:
    """Wait until no job is left; a Slurm that does not answer is asked again. Exit 1 if trials are left."""
    from noisebench.slurm.jobs import wait_for_jobs
    from noisebench.store.states import sweep_progress
    from noisebench.store.store import open_store

    wait_for_jobs(results.sweep(sweep))
    with open_store(results) as store:
        progress = sweep_progress(store, sweep, [])
    state = f"{progress.completed}/{progress.total} completed, {progress.failed} failed"
    print(f"{sweep}: {state}", file=sys.stderr)
    if progress.completed != progress.total:
        raise typer.Exit(1)


def print_submitted(sweep: str, sent: Submitted, as_json: bool) -> None:
    """Print the jobs of a submission, and how to follow it."""
    if sent.released:
        jobs = ", ".join(sent.released)
        print(f"sweep '{sweep}' is live; Slurm held its jobs {jobs}: released", file=sys.stderr)
        return
    if as_json:
        jobs_json = [{"role": role, "job": job} for role, job in sent.jobs]
        print(json.dumps({"sweep": sweep, "jobs": jobs_json, "pending": sent.pending, "failed": sent.failed}))
    else:
        for role, job in sent.jobs:
            print(f"{role} {job}")
    if sent.left_out:
        print(
            f"{sent.left_out} workers were not sent: your other jobs leave no room within limits.jobs of the "
            f"site; `noisebench scale {sweep} --workers N` adds them later",
            file=sys.stderr,
        )
    message = f"{sent.pending} trials pending" if sent.pending else "nothing is pending"
    if sent.jobs:
        message += f"; `noisebench status {sweep}` shows how far they are"
    if sent.failed:
        message += f"; {sent.failed} failed: `noisebench resume {sweep}` runs them again"
    print(message, file=sys.stderr)
