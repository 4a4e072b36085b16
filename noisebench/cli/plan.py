"""`noisebench plan`: how many trials, how many are done, what the rest will cost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from noisebench.cli.live import duration
from noisebench.cli.options import DEFAULT_RESULTS, Json, Results

if TYPE_CHECKING:
    from noisebench.sweep.cost import Budget


def plan(
    spec: Annotated[Path, typer.Argument(help="The sweep's YAML file.")],
    results: Results = DEFAULT_RESULTS,
    site: Annotated[
        Path | None, typer.Option("--site", help="The profile of a cluster to reckon with; see slurm/sites.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show trials per block, what is completed already, estimated hours; starts nothing."""
    from noisebench.records import provenance
    from noisebench.sweep.calibration import Calibration
    from noisebench.sweep.cost import budgets
    from noisebench.sweep.sweep import load_sweep

    sweep = load_sweep(spec)
    completed = _completed(results, [trial.trial_id for trial in sweep.trials()])
    measured = Calibration.read(results).seconds_by_device(sweep.trials())
    found = budgets(sweep, completed, measured)
    threads = len(os.sched_getaffinity(0))
    total = found[-1]
    wall_seconds = total.measured_seconds.get(provenance.versions()["cpu"], total.cpu_seconds) / threads
    if as_json:
        here = {"cpu_threads": threads, "wall_hours": wall_seconds / 3600}
        blocks = [budget.as_dict() for budget in found]
        there = {} if site is None else {"site": _on_site(site, found[-1])}
        print(json.dumps({"sweep": sweep.name, "blocks": blocks, "here": here, **there}, indent=2))
        return
    rows = [budget.row() for budget in found]
    header = found[0].header()
    widths = [max(len(str(row[column])) for row in [header, *rows]) for column in range(len(header))]
    print(f"sweep {sweep.name}")
    for row in [header, *rows]:
        first, *rest = (str(cell) for cell in row)
        print(
            "  ".join([first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))])
        )
    if found[-1].completed < found[-1].trials:
        print(f"here, on {threads} CPU threads: about {duration(wall_seconds)}")
        if site is not None:
            cluster = _on_site(site, found[-1])
            what = f"{cluster['workers']} workers with {cluster['devices']} {cluster['device']} in all"
            hours = duration(3600 * cluster["wall_hours"])
            print(f"on {cluster['name']}, {what}: about {hours} once all of them run")


def _on_site(path: Path, total: Budget) -> dict[str, Any]:
    """Return the hours on a site with all its workers, one trial to a GPU or, without GPUs, to a core."""
    from noisebench.slurm.job import gpus_per_node
    from noisebench.slurm.site import load_site

    site = load_site(path)
    gpus = gpus_per_node(site.worker)
    devices = site.worker.count * (gpus or site.worker.cpus)
    seconds = total.v100_seconds if gpus else total.cpu_seconds
    return {
        "name": site.site,
        "workers": site.worker.count,
        "devices": devices,
        "device": "GPUs" if gpus else "cores",
        "wall_hours": seconds / devices / 3600,
    }


def _completed(results: Path, trial_ids: list[str]) -> set[str]:
    if not results.is_dir():
        return set()
    from noisebench.records.folders import ResultsFolder
    from noisebench.store.ingest import ingest
    from noisebench.store.states import states_of

    folder = ResultsFolder(results)
    ingest(folder)
    return {trial for trial, state in states_of(folder, trial_ids).items() if state == "completed"}
