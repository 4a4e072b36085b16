"""`noisebench plan`: how many trials, how many are done, what the rest will cost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from noisebench.cli.folders import sweep_of
from noisebench.cli.options import DEFAULT_RESULTS, Data, Json, Results, Settings
from noisebench.cli.terminal import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from noisebench.records.folders import ResultsFolder
    from noisebench.slurm.job import WorkerJob
    from noisebench.sweep.calibration import Calibration
    from noisebench.sweep.cost import Budget
    from noisebench.sweep.sweep import Sweep
    from noisebench.sweep.trial import Trial


def plan(
    spec: Annotated[
        str, typer.Argument(help="The sweep's YAML file; or the name of one that was run or submitted.")
    ],
    settings: Settings = None,
    results: Results = DEFAULT_RESULTS,
    data: Data = None,
    site: Annotated[
        Path | None,
        typer.Option("--site", help="Estimate also for this cluster, by its profile; see slurm/sites."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the trials of each block, how many have completed, and estimated hours. Starts nothing.

    With --data, also show which data files are missing or damaged.
    """
    from noisebench.sweep.calibration import Calibration
    from noisebench.sweep.cost import budgets

    sweep, folder = sweep_of(spec, results, settings or ())
    completed = _completed(folder, [trial.trial_id for trial in sweep.trials()])
    measured = Calibration.read(folder.root).seconds_by_device(sweep.trials())
    blocks = budgets(sweep, completed, measured, _kept(folder))
    cluster = None if site is None else _on_site(site, sweep, folder, blocks[-1])
    problems = None if data is None else _data_problems(sweep, data)
    if as_json:
        answer: dict[str, Any] = {
            "sweep": sweep.name,
            "blocks": [budget.as_dict() for budget in blocks],
            "here": _here(blocks[-1]),
            "precision": _precisions(sweep),
        }
        answer |= {} if cluster is None else {"site": cluster}
        answer |= {} if problems is None else {"data_problems": problems}
        print(json.dumps(answer, indent=2))
        return
    print(f"sweep {sweep.name}")
    _print_budgets(blocks)
    if blocks[-1].completed < blocks[-1].trials:
        _print_hours(_here(blocks[-1]), cluster)
        _print_unmeasured(blocks[-1], _precisions(sweep))
    if problems is not None:
        print("\n".join(problems) or f"{data}: all data files are there and complete")


def _here(total: Budget) -> dict[str, Any]:
    """Return the CPU threads of this machine, and the hours that the pending trials take on them."""
    from noisebench.records import provenance

    threads = len(os.sched_getaffinity(0))
    seconds = total.measured_seconds.get(provenance.versions()["cpu"], total.cpu_seconds)
    return {"cpu_threads": threads, "wall_hours": seconds / threads / 3600}


def _print_hours(here: dict[str, Any], cluster: dict[str, Any] | None) -> None:
    print(f"here, on {here['cpu_threads']} CPU threads: about {duration(3600 * here['wall_hours'])}")
    if cluster is not None:
        size = f"{cluster['workers']} workers with {cluster['devices']} {cluster['device']} in all"
        hours = duration(3600 * cluster["wall_hours"])
        print(f"on {cluster['name']}, {size}: about {hours} once all of them run")
        for pool in cluster["pools"]:
            if pool["device"] == "GPUs":
                print(f"  {_source_of_rates(pool)}")


def _source_of_rates(pool: dict[str, Any]) -> str:
    """Return where the rates of a pool's GPUs come from."""
    kind, here = pool["kind"] or "GPUs of no named kind", pool["trials_on_a_gpu"]
    if pool["measured_on"] is None:
        return f"{kind}: not measured (see `calibrate`), counted as V100s by published minutes"
    shared = pool["measured_trials_on_a_gpu"]
    text = ", ".join(f"{shared[model]} x {model}" for model in sorted(shared))
    text = f"{kind}: measured on {pool['measured_on']} with {text} on a GPU"
    others = ", ".join(f"{here[model]} x {model}" for model in sorted(here) if here[model] != shared[model])
    return f"{text}; here {others}, not measured" if others else text


def _precisions(sweep: Sweep) -> list[str]:
    return sorted({trial.training.precision for trial in sweep.trials()}, reverse=True)


def _print_unmeasured(total: Budget, precisions: list[str]) -> None:
    """Print the hours of GPUs in both precisions, and the one of the sweep."""
    print("GPU-hours by precision, not measured but estimated from counted operations (see `calibrate`):")
    names = list(next(iter(total.unmeasured_seconds.values())))
    hours = [
        [gpu, *(f"{seconds[name] / 3600:.2f}" for name in names)]
        for gpu, seconds in total.unmeasured_seconds.items()
    ]
    _print_table([["GPU", *names], *hours])
    other = "; for the other, --set training.precision=fast" if "reference" in precisions else ""
    print(f"this sweep trains in precision {' and '.join(precisions)}{other}")


def _print_budgets(budgets: list[Budget]) -> None:
    _print_table([budgets[0].header(), *(each.row() for each in budgets)])


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *rest in rows:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *cells]))


def _data_problems(sweep: Sweep, data: Path) -> list[str]:
    from noisebench.data.files import needed_files, problem

    problems = (problem(file, data) for file in needed_files(list(sweep.trials())))
    return [text for text in problems if text is not None]


def _on_site(path: Path, sweep: Sweep, folder: ResultsFolder, total: Budget) -> dict[str, Any]:
    """Return the hours on a site with all its workers; on a CPU a trial takes a core."""
    from noisebench.slurm.gpu_sharing import calibrated
    from noisebench.slurm.job import gpus_of
    from noisebench.slurm.site import load_site
    from noisebench.sweep.calibration import Calibration

    calibration, trials = Calibration.read(folder.root), list(sweep.trials())
    site = calibrated(load_site(path), calibration, trials)
    models = sorted({trial.training.model for trial in trials})
    pools, speed = [], 0.0
    for job in site.workers:
        pool, seconds = _pool(job, calibration, trials, total)
        if gpus_of(job):
            here = {model: job.trials_factor * site.trials_per_gpu.get(model, 1) for model in models}
            pool["trials_on_a_gpu"] = here
        pools.append(pool)
        speed += pool["devices"] / seconds if seconds else 0.0
    return {
        "name": site.site,
        "workers": sum(job.count for job in site.workers),
        "devices": sum(pool["devices"] for pool in pools),
        "device": pools[0]["device"],
        "wall_hours": 1 / speed / 3600 if speed else 0.0,
        "pools": pools,
    }


def _pool(
    job: WorkerJob, calibration: Calibration, trials: Sequence[Trial], total: Budget
) -> tuple[dict[str, Any], float]:
    """Return a pool's devices with the source of their rates, and the seconds of all pending trials on one.

    Of several measured GPUs of its kind it is the slowest. Where none was measured for all models of the
    sweep, the published minutes of a V100 count.
    """
    from noisebench.slurm.gpu_sharing import kind_of
    from noisebench.slurm.job import gpus_of
    from noisebench.sweep.calibration import Calibration

    gpus = gpus_of(job)
    if not gpus:
        return {"device": "cores", "devices": job.count * job.cpus}, total.cpu_seconds
    kind = kind_of(job)
    measured = calibration.of_gpus(kind).measured
    seconds = {entry.device: total.measured_seconds.get(entry.device) for entry in measured}
    known = {device: estimate for device, estimate in seconds.items() if estimate is not None}
    slowest = max(known, key=lambda device: known[device], default=None)
    pool = {"device": "GPUs", "devices": job.count * gpus, "kind": kind, "measured_on": slowest}
    if slowest is None:
        return pool, total.v100_seconds
    on_slowest = Calibration(tuple(entry for entry in measured if entry.device == slowest))
    return {**pool, "measured_trials_on_a_gpu": on_slowest.trials_per_gpu(trials)}, known[slowest]


def _kept(folder: ResultsFolder) -> dict[str, frozenset[str]]:
    """Return the names of the arrays of each evidence in a results folder, by its id."""
    from noisebench.records.evidence import EvidenceFile

    by_id = {path.stem: EvidenceFile(path).names() for path in folder.evidences.glob("*.evidence")}
    return {evidence_id: names for evidence_id, names in by_id.items() if names}


def _completed(folder: ResultsFolder, trial_ids: list[str]) -> set[str]:
    if not folder.root.is_dir():
        return set()
    from noisebench.store.states import states_of
    from noisebench.store.store import open_store

    with open_store(folder) as store:
        states = states_of(store, trial_ids)
    return {trial for trial, state in states.items() if state == "completed"}
