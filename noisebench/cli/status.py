"""`noisebench status`: the progress of sweeps."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from noisebench.cli.folders import existing, sweep_folder, sweeps_in, warn_of_files
from noisebench.cli.options import DEFAULT_RESULTS, Json, Results
from noisebench.cli.terminal import duration, printable, size
from noisebench.errors import EnvironmentFault

if TYPE_CHECKING:
    from noisebench.records.folders import ResultsFolder
    from noisebench.slurm.jobs import SweepJobs
    from noisebench.store.store import Store

WATCH_SECONDS = 5.0
# How often Slurm is asked for the jobs: less often than the records are read, to spare a busy controller.
ASK_SECONDS = 30.0


def status(
    sweep: Annotated[str | None, typer.Argument(help="The sweep's name; default: all.")] = None,
    results: Results = DEFAULT_RESULTS,
    watch: Annotated[
        bool, typer.Option("--watch", help="Repeat every five seconds until all trials have ended.")
    ] = False,
    disk: Annotated[bool, typer.Option("--disk", help="Show also the disk space of the results.")] = False,
    as_json: Json = False,
) -> None:
    """Show how many trials have completed, run, failed and wait; rate, time left, failures by kind."""
    from noisebench.store.store import read_store

    folder = sweep_folder(results, sweep).results if sweep else existing(results)
    names = [sweep] if sweep else sweeps_in(folder)
    asked, jobs = float("-inf"), None
    while True:
        if time.monotonic() - asked > ASK_SECONDS:
            asked, jobs = time.monotonic(), _jobs(folder, names)
        states = read_store(folder, partial(_states, sweeps=names, jobs=jobs))
        if disk:
            states = [{**state, "disk_bytes": _disk_bytes(folder, state["sweep"])} for state in states]
        if as_json:
            print(json.dumps(states[0] if sweep else states))
        else:
            _print_status(states)
        if not watch or all(_has_ended(state) for state in states):
            return
        time.sleep(WATCH_SECONDS)


def _jobs(folder: ResultsFolder, sweeps: list[str]) -> dict[str, SweepJobs]:
    from noisebench.slurm.jobs import jobs_of

    try:
        jobs_by_sweep = jobs_of(folder, sweeps)
    except EnvironmentFault as fault:
        print(f"warning: the state of the jobs is unknown: {fault}", file=sys.stderr)
        return {}
    for sweep, jobs in jobs_by_sweep.items():
        if jobs.live and jobs.code_changed:
            print(f"warning: {sweep}: noisebench has changed since the submission", file=sys.stderr)
    return jobs_by_sweep


def _states(store: Store, sweeps: list[str], jobs: dict[str, SweepJobs] | None) -> list[dict[str, Any]]:
    _warn_if_outdated(store)
    return [_state(store, sweep, jobs) for sweep in sweeps]


def _warn_if_outdated(store: Store) -> None:
    warn_of_files(store.report)
    if not store.report.published:
        text = f"warning: the counts are not up to date: {store.report.unpublished}"
        print(printable(text), file=sys.stderr)


def _disk_bytes(folder: ResultsFolder, sweep: str) -> dict[str, int]:
    """Return the bytes of the sweep's own files, and of what all sweeps of the folder share."""
    from noisebench.engine.cleaning import disk_use, results_disk_use

    mine = folder.sweep(sweep)
    parts = results_disk_use(folder)
    shared = {name: parts.get(name, 0) for name in ("checkpoints", "evidence", "scores", "results.duckdb")}
    return {"journal": disk_use(mine.journal), "logs": disk_use(mine.logs), **shared}


def _state(store: Store, sweep: str, jobs: dict[str, SweepJobs] | None) -> dict[str, Any]:
    from noisebench.cli.learning import note_of_sweep
    from noisebench.engine.stops import stopped_blocks
    from noisebench.records.heartbeats import fresh_workers
    from noisebench.slurm.messages import Messages
    from noisebench.store.states import sweep_progress

    sweep_jobs, folder = (jobs or {}).get(sweep), store.results.sweep(sweep)
    return {
        "sweep": sweep,
        **asdict(sweep_progress(store, sweep, fresh_workers(folder))),
        "jobs": sweep_jobs and sweep_jobs.as_dict(),
        "faults": Messages(folder).faults(),
        "stopped": stopped_blocks(folder),
        "warning": note_of_sweep(store, sweep),
    }


def _has_ended(state: dict[str, Any]) -> bool:
    settled: bool = state["completed"] + state["failed"] == state["total"]
    return settled or (bool(state["stopped"]) and not state["running"])


def _print_status(states: list[dict[str, Any]]) -> None:
    for state in states:
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
            print(printable(f"    block {block} is stopped: all its first trials failed with {error}"))
        if state["warning"]:
            print(printable(f"    warning: {state['warning']}"))
        for kind, count in state["failures"].items():
            print(f"    {kind}: {count}")
        for guard, count in state["guards"].items():
            print(f"    {guard.replace('-', ' ')}: {count} results, whose flags are useless")
        if "disk_bytes" in state:
            parts = (f"{name} {size(count)}" for name, count in state["disk_bytes"].items())
            print(f"    disk: {', '.join(parts)}")


def _print_jobs(state: dict[str, Any]) -> None:
    for job, message in state["faults"].items():
        print(printable(f"    {job}: {message}"))
    jobs = state["jobs"]
    if jobs is None:
        return
    from noisebench.slurm.answers import is_held_by_a_person

    if jobs["driver"] or jobs["workers_running"] or jobs["workers_waiting"]:
        driver = f"driver {jobs['driver']} {jobs['driver_state']}" if jobs["driver"] else "no driver"
        standby = f", standby {jobs['standby']}" if jobs["standby"] else ""
        waiting = f"{jobs['workers_waiting']} waiting"
        reasons = f" ({', '.join(jobs['reasons'])})" if jobs["reasons"] else ""
        start = f", next start expected {jobs['expected_start']}" if jobs["expected_start"] else ""
        running = f"{jobs['workers_running']} running"
        print(f"    jobs: {driver}{standby}; workers: {running}, {waiting}{reasons}{start}")
        for job, reason in jobs["held"].items():
            fix = f"`scontrol release {job}` releases it"
            if not is_held_by_a_person(reason):
                fix = f"`noisebench resume {state['sweep']}` or {fix}"
            print(f"    job {job} is held ({reason}): {fix}")
    elif state["pending"]:
        ended = [
            f"{role}s " + ", ".join(f"{count} {kind.lower()}" for kind, count in counts.items())
            for role, counts in jobs["ended"].items()
            if counts
        ]
        ends = f" ({'; '.join(ended)})" if ended else ""
        print(f"    no job is left{ends}: `noisebench resume {state['sweep']}` sends new ones")
