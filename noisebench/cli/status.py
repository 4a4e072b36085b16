"""`noisebench status`: how far sweeps are."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from noisebench.cli.folders import existing, known, sweeps_in
from noisebench.cli.options import DEFAULT_RESULTS, Json, Results
from noisebench.errors import EnvironmentFault

if TYPE_CHECKING:
    from noisebench.records.folders import ResultsFolder
    from noisebench.slurm.jobs import SweepJobs

WATCH_SECONDS = 5.0
# A busy controller is not to be asked each time that the records are read.
ASK_SECONDS = 30.0


def status(
    sweep: Annotated[str | None, typer.Argument(help="The sweep's name; default: all.")] = None,
    results: Results = DEFAULT_RESULTS,
    watch: Annotated[
        bool, typer.Option("--watch", help="Renew every five seconds until all is done.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show how far a sweep is: completed, running, failed, pending, rate, time left, failures by kind."""
    folder = existing(results)
    names = [known(folder, sweep)] if sweep else sweeps_in(folder)
    asked, jobs = float("-inf"), None
    while True:
        if time.monotonic() - asked > ASK_SECONDS:
            asked, jobs = time.monotonic(), _jobs(folder, names)
        found = [_state(folder, name, jobs) for name in names]
        if as_json:
            print(json.dumps(found[0] if sweep else found))
        else:
            _print_status(found)
        if not watch or all(_has_ended(state) for state in found):
            return
        time.sleep(WATCH_SECONDS)


def _jobs(folder: ResultsFolder, sweeps: list[str]) -> dict[str, SweepJobs]:
    from noisebench.slurm.jobs import jobs_of

    try:
        found = jobs_of(folder, sweeps)
    except EnvironmentFault as fault:
        print(f"warning: what becomes of the jobs is unknown: {fault}", file=sys.stderr)
        return {}
    for sweep, jobs in found.items():
        if jobs.live and jobs.code_changed:
            print(f"warning: {sweep}: noisebench has changed since the submission", file=sys.stderr)
    return found


def _state(folder: ResultsFolder, sweep: str, jobs: dict[str, SweepJobs] | None) -> dict[str, Any]:
    from noisebench.engine.stops import stopped_blocks
    from noisebench.records.heartbeats import fresh_workers
    from noisebench.slurm.protocol import Messages
    from noisebench.store.states import sweep_progress

    mine = (jobs or {}).get(sweep)
    return {
        "sweep": sweep,
        **sweep_progress(folder.sweep(sweep), fresh_workers(folder.sweep(sweep))),
        "jobs": mine and mine.as_dict(),
        "faults": Messages(folder.sweep(sweep)).faults(),
        "stopped": stopped_blocks(folder.sweep(sweep)),
    }


def _has_ended(state: dict[str, Any]) -> bool:
    settled: bool = state["completed"] + state["failed"] == state["total"]
    return settled or (bool(state["stopped"]) and not state["running"])


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
        start = f", next start expected {jobs['expected_start']}" if jobs["expected_start"] else ""
        running = f"{jobs['workers_running']} running"
        print(f"    jobs: {driver}{standby}; workers: {running}, {waiting}{reasons}{start}")
        for job, reason in jobs["held"].items():
            fix = f"`noisebench resume {state['sweep']}` or `scontrol release {job}` releases it"
            print(f"    job {job} is held ({reason}): {fix}")
    elif state["pending"]:
        ended = [
            f"{role}s " + ", ".join(f"{count} {kind.lower()}" for kind, count in counts.items())
            for role, counts in jobs["ended"].items()
            if counts
        ]
        said = f" ({'; '.join(ended)})" if ended else ""
        print(f"    no job is left{said}: `noisebench resume {state['sweep']} --site SITE` sends new ones")
