"""`noisebench failures`, `logs` and `show`: how a sweep's trials ended."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from noisebench.cli.folders import existing, sweep_folder
from noisebench.cli.options import DEFAULT_RESULTS, Json, Results, SweepName
from noisebench.cli.terminal import printable

TrialId = Annotated[str, typer.Argument(help="The trial's id, or its first digits.")]


def logs(
    trial: Annotated[
        str,
        typer.Argument(
            help="The trial's id, or its first digits; with --driver or --worker: the sweep's name."
        ),
    ],
    results: Results = DEFAULT_RESULTS,
    driver: Annotated[bool, typer.Option("--driver", help="Print the output of the drivers.")] = False,
    worker: Annotated[
        str | None, typer.Option("--worker", metavar="JOB", help="Print the output of this worker's job.")
    ] = None,
) -> None:
    """Print the output of a trial's attempts, the newest last, with the traceback of a failure.

    With --driver or --worker: the output of these jobs of a submitted sweep.
    """
    if driver or worker is not None:
        from noisebench.cli.slurm import print_job_logs

        print_job_logs(trial, results, None if driver else worker)
        return
    from noisebench.records.logs import lines_of
    from noisebench.store.states import trial_record
    from noisebench.store.store import open_store

    folder = existing(results)
    with open_store(folder) as store:
        record = trial_record(store, trial)
    for attempt in record.attempts:
        job = f", Slurm job {attempt.slurm_job_id}" if attempt.slurm_job_id else ""
        kind = f" ({attempt.error_kind})" if attempt.error_kind else ""
        end = f"{attempt.status}{kind} on {attempt.host}{job}, log {attempt.log}"
        print(printable(f"# attempt {attempt.attempt_id}: {end}"), file=sys.stderr)
        for line in lines_of(folder, attempt.log, attempt.attempt_id):
            print(printable(line))
        if attempt.traceback:
            print(printable(attempt.traceback), end="")


def failures(sweep: SweepName, results: Results = DEFAULT_RESULTS, as_json: Json = False) -> None:
    """Show a sweep's failed trials, grouped by error, with an example of each."""
    from noisebench.store.states import failures as grouped
    from noisebench.store.store import open_store

    folder = sweep_folder(results, sweep)
    with open_store(folder.results) as store:
        groups = grouped(store, sweep)
    if as_json:
        print(json.dumps([asdict(group) for group in groups]))
        return
    for group in groups:
        trials = "1 trial" if group.trials == 1 else f"{group.trials} trials"
        print(printable(f"{trials}: {group.error_kind}: {group.error}"))
        print(printable(f"    for example {group.example}: noisebench show {group.example}"))
    if not groups:
        print(f"no trial of {sweep} has failed", file=sys.stderr)


def show(trial: TrialId, results: Results = DEFAULT_RESULTS, as_json: Json = False) -> None:
    """Show all records of one trial, with the command that runs it in this process."""
    from noisebench.store.states import trial_record
    from noisebench.store.store import open_store

    with open_store(existing(results)) as store:
        record = trial_record(store, trial)
    fields = json.loads(json.dumps(asdict(record), default=str))
    sweeps = {attempt.sweep for attempt in record.attempts}
    fields["by_hand"] = [
        f"noisebench resume {sweep} --trial {record.trial_id} --inline" for sweep in sorted(sweeps)
    ]
    if as_json:
        print(json.dumps(fields, indent=2))
        return
    import yaml

    print(yaml.safe_dump(fields, sort_keys=False, allow_unicode=True), end="")
