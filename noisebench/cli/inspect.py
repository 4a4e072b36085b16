"""`noisebench failures`, `logs` and `show`: what became of a sweep's trials."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from noisebench.cli.folders import existing, known
from noisebench.cli.options import DEFAULT_RESULTS, Json, Results

Sweep = Annotated[str, typer.Argument(help="The sweep's name.")]


def logs(
    trial: Annotated[
        str,
        typer.Argument(
            help="The trial's id, or its first digits; with --driver or --worker: the sweep's name."
        ),
    ],
    results: Results = DEFAULT_RESULTS,
    driver: Annotated[bool, typer.Option("--driver", help="Print what the sweep's drivers printed.")] = False,
    worker: Annotated[
        str | None, typer.Option("--worker", metavar="JOB", help="Print what this worker's job printed.")
    ] = None,
) -> None:
    """Print what a trial printed in each of its attempts, the last one last, and a failure's traceback.

    With --driver or --worker: what these jobs of a submitted sweep printed.
    """
    if driver or worker is not None:
        from noisebench.cli.slurm import print_job_logs

        print_job_logs(trial, results, None if driver else worker)
        return
    from noisebench.records.logs import lines_of
    from noisebench.store.states import trial_record

    folder = existing(results)
    record = trial_record(folder, trial)
    for attempt in record.attempts:
        job = f", Slurm job {attempt['slurm_job_id']}" if attempt["slurm_job_id"] else ""
        kind = f" ({attempt['error_kind']})" if attempt["error_kind"] else ""
        said = f"{attempt['status']}{kind} on {attempt['host']}{job}, log {attempt['log']}"
        print(f"# attempt {attempt['attempt_id']}: {said}", file=sys.stderr)
        for line in lines_of(folder, attempt["log"], attempt["attempt_id"]):
            print(line)
        if attempt["traceback"]:
            print(attempt["traceback"], end="")


def failures(sweep: Sweep, results: Results = DEFAULT_RESULTS, as_json: Json = False) -> None:
    """Show a sweep's failed trials, grouped by what went wrong, with an example of each."""
    from noisebench.store.states import failures as grouped

    folder = existing(results)
    groups = grouped(folder.sweep(known(folder, sweep)))
    if as_json:
        print(json.dumps(groups))
        return
    for group in groups:
        trials = "1 trial" if group["trials"] == 1 else f"{group['trials']} trials"
        print(f"{trials}: {group['error_kind']}: {group['error']}")
        print(f"    for example {group['example']}: noisebench show {group['example']}")
    if not groups:
        print(f"no trial of {sweep} has failed", file=sys.stderr)


def show(
    trial: Annotated[str, typer.Argument(help="The trial's id, or the first digits of it.")],
    results: Results = DEFAULT_RESULTS,
    as_json: Json = False,
) -> None:
    """Show all that is recorded of one trial, with the command that runs it by hand."""
    from noisebench.store.states import trial_record

    record = trial_record(existing(results), trial)
    found = json.loads(json.dumps(asdict(record), default=str))
    sweeps = {attempt["sweep"] for attempt in record.attempts}
    found["by_hand"] = [
        f"noisebench resume {sweep} --trial {record.trial_id} --inline" for sweep in sorted(sweeps)
    ]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    import yaml

    print(yaml.safe_dump(found, sort_keys=False, allow_unicode=True), end="")
