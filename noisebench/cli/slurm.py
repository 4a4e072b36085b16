"""`noisebench submit`: a sweep on a Slurm cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noisebench.cli.options import DEFAULT_RESULTS
from noisebench.errors import InputError

if TYPE_CHECKING:
    from noisebench.spec.sweep import Sweep
    from noisebench.spec.trial import Trial
    from noisebench.trial.layout import ResultsFolder


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
) -> None:
    """Show how a sweep would be submitted: a driver, its standby, an array of workers."""
    from noisebench.slurm.script import scripts
    from noisebench.slurm.site import load_site
    from noisebench.slurm.submission import submission_for
    from noisebench.spec.sweep import load_sweep
    from noisebench.trial.layout import ResultsFolder

    if not dry_run:
        raise InputError("submit: only --dry-run is there yet; `noisebench run` runs a sweep on one machine")
    sweep = load_sweep(spec)
    profile = load_site(site)
    folder = ResultsFolder((results or Path(profile.folders.results or DEFAULT_RESULTS)).absolute())
    pending = _pending(sweep, folder)
    if not pending:
        print("nothing is pending", file=sys.stderr)
        return
    submission = submission_for(sweep.name, pending, profile, folder)
    print("\n".join(f"##### {what}\n{text}" for what, text in scripts(submission)))


def _pending(sweep: Sweep, folder: ResultsFolder) -> list[Trial]:
    """Return the trials that neither completed nor failed; all of them where there are no results yet."""
    from noisebench.engine.order import pending_trials
    from noisebench.store.states import states_of

    trials = list(sweep.trials())
    states = states_of(folder, [trial.trial_id for trial in trials]) if folder.root.is_dir() else {}
    return pending_trials(trials, states, include_failed=False)
