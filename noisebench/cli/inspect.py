"""`noisebench status`, `failures` and `show`: what became of a sweep and its trials."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from noisebench.cli.options import DEFAULT_RESULTS, Json, Results
from noisebench.errors import EnvironmentFault, InputError

if TYPE_CHECKING:
    from noisebench.trial.layout import ResultsFolder

WATCH_SECONDS = 5.0

Sweep = Annotated[str, typer.Argument(help="The sweep's name.")]


def status(
    sweep: Annotated[str | None, typer.Argument(help="The sweep's name; default: all.")] = None,
    results: Results = DEFAULT_RESULTS,
    watch: Annotated[
        bool, typer.Option("--watch", help="Renew every five seconds until all is done.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show how far a sweep is: completed, running, failed, pending, rate, time left, failures by kind."""
    folder = _existing(results)
    names = [_known(folder, sweep)] if sweep else _sweeps(folder)
    while True:
        found = _statuses(folder, names)
        if as_json:
            print(json.dumps(found[0] if sweep else found))
        else:
            _print_status(found)
        if not watch or all(_has_ended(state) for state in found):
            return
        time.sleep(WATCH_SECONDS)


def logs(
    trial: Annotated[str, typer.Argument(help="The trial's id, or the first digits of it.")],
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Print what a trial printed in each of its attempts, the last one last, and a failure's traceback."""
    from noisebench.store.states import trial_record
    from noisebench.trial.log import lines_of

    folder = _existing(results)
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

    folder = _existing(results)
    groups = grouped(folder, _known(folder, sweep))
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

    record = trial_record(_existing(results), trial)
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


def _existing(results: Path) -> ResultsFolder:
    from noisebench.trial.layout import ResultsFolder

    if not results.is_dir():
        raise InputError(f"{results}: there is no results folder here; say which with --results DIR")
    return ResultsFolder(results.absolute())


def _sweeps(folder: ResultsFolder) -> list[str]:
    found = sorted(path.parent.name for path in folder.sweeps.glob("*/manifest.jsonl"))
    if not found:
        raise InputError(f"{folder.root}: no sweep has been run or submitted with these results yet")
    return found


def _known(folder: ResultsFolder, sweep: str) -> str:
    if not folder.manifest(sweep).is_file():
        raise InputError(f"{folder.root}: no sweep '{sweep}' here; known: {', '.join(_sweeps(folder))}")
    return sweep


def _has_ended(state: dict[str, Any]) -> bool:
    settled: bool = state["completed"] + state["failed"] == state["total"]
    return settled or (bool(state["stopped"]) and not state["running"])


def _statuses(folder: ResultsFolder, sweeps: list[str]) -> list[dict[str, Any]]:
    from noisebench.engine.heartbeat import fresh_workers
    from noisebench.engine.stops import stopped_blocks
    from noisebench.slurm.faults import faults
    from noisebench.slurm.jobs import jobs_of
    from noisebench.store.states import sweep_progress

    found = [
        {
            "sweep": sweep,
            **sweep_progress(folder, sweep, fresh_workers(folder, sweep)),
            "jobs": None,
            "faults": faults(folder, sweep),
            "stopped": stopped_blocks(folder, sweep),
        }
        for sweep in sweeps
    ]
    try:
        jobs = jobs_of(folder, sweeps)
    except EnvironmentFault as fault:
        print(f"warning: what becomes of the jobs is unknown: {fault}", file=sys.stderr)
        return found
    for state in found:
        mine = jobs.get(state["sweep"])
        if mine is not None:
            state["jobs"] = mine.as_dict()
            if mine.live and mine.code_changed:
                print(
                    f"warning: {state['sweep']}: noisebench has changed since the submission", file=sys.stderr
                )
    return found


def _print_status(found: list[dict[str, Any]]) -> None:
    from noisebench.cli.live import duration

    for state in found:
        line = (
            f"{state['sweep']}: {state['completed']}/{state['total']} completed, {state['running']} running, "
        )
        line += f"{state['failed']} failed, {state['pending']} pending"
        if state["running"] and state["eta_seconds"] is not None:
            line += f"; {state['rate_per_hour']:.0f} trials/h, {duration(state['eta_seconds'])} left"
        if state["gpu_hours"]:
            line += f"; {state['gpu_hours']:.1f} GPU-hours"
        print(line)
        _print_jobs(state)
        for block, error in state["stopped"].items():
            print(f"    block {block} is stopped: its first trials all failed with {error}")
        for kind, count in state["failures"].items():
            print(f"    {kind}: {count}")
        for guard, count in state["guards"].items():
            print(f"    {guard.replace('-', ' ')}: {count} results, which say nothing about the loss")


def _print_jobs(state: dict[str, Any]) -> None:
    for job, message in state["faults"].items():
        print(f"    {job}: {message}")
    jobs = state["jobs"]
    if jobs is None:
        return
    if jobs["driver"] or jobs["workers_running"] or jobs["workers_waiting"]:
        driver = f"driver {jobs['driver']} {jobs['driver_state']}" if jobs["driver"] else "no driver"
        standby = f", standby {jobs['standby']}" if jobs["standby"] else ""
        waiting = f"{jobs['workers_waiting']} waiting"
        reasons = f" ({', '.join(jobs['reasons'])})" if jobs["reasons"] else ""
        print(f"    jobs: {driver}{standby}; workers: {jobs['workers_running']} running, {waiting}{reasons}")
    elif state["pending"]:
        ended = [
            f"{role}s " + ", ".join(f"{count} {kind.lower()}" for kind, count in counts.items())
            for role, counts in jobs["ended"].items()
            if counts
        ]
        said = f" ({'; '.join(ended)})" if ended else ""
        print(f"    no job is left{said}: `noisebench resume {state['sweep']} --site SITE` sends new ones")
