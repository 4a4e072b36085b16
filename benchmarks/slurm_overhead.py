"""What Slurm adds to a sweep: how soon a worker works; one-second trials beside those of `noisebench run`.

Both have 8 slots. Starts the Slurm of slurm/devcluster (its packages must be installed) and stops it again.
`python benchmarks/slurm_overhead.py [--trials 200]`
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noisebench.records.folders import SweepFolder

ROOT = Path(__file__).resolve().parents[1]
DEVCLUSTER = ROOT / "slurm/devcluster/devcluster.sh"
SLOTS = 8
OVERHEAD_BOUND = 1.25
LOCAL_BOUND = 1.1
JOIN_BOUND_SECONDS = 20.0
EXECUTE = "benchmarks.noop:one_second"
SWEEP = """\
sweep: one-second
blocks:
  grid:
    dataset: digits
    corruption: {{kind: uniform, rate: 0.2}}
    loss: CE
    seeds: {trials}
"""
SITE = """\
site: two-workers
signal_seconds: 30
driver: {cpus: 1, memory_gb: 3, minutes: 30}
workers: {cpus: 2, memory_gb: 6, minutes: 30, count: 2, gpu_request: "--gres=gpu:v100:4"}
"""


@dataclass(frozen=True)
class Times:
    """Seconds of a sweep: from the first trial's start to the last one's end, and from the command on."""

    trials: float
    whole: float


def main() -> int:
    """Print the figures; 0 if all are within their bounds, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory(prefix="nbslurm") as folder:
        os.environ["DEVCLUSTER"] = f"{folder}/c"
        os.environ["SLURM_CONF"] = f"{folder}/c/slurm.conf"
        # The nodes import this folder's modules.
        os.environ["PYTHONPATH"] = str(ROOT)
        sys.path.insert(0, str(ROOT))
        os.chdir(folder)
        subprocess.run([DEVCLUSTER, "up", "3"], check=True, stdout=subprocess.DEVNULL)
        try:
            joins, begins, slurm = measure(Path(folder), trials)
        finally:
            subprocess.run([DEVCLUSTER, "down"], check=True)
        here = measure_here(Path(folder), trials)
    return 0 if report(trials, joins, begins, slurm, here) else 1


def report(trials: int, joins: list[float], begins: list[float], slurm: Times, here: Times) -> bool:
    """Print all figures; return whether they are within their bounds."""
    ideal, slowest = trials / SLOTS, max(joins)
    overhead, beside = slurm.trials / ideal, slurm.trials / here.trials
    print(
        f"a worker's job start to its joining Ray, the driver starting beside it: {_seconds(joins)}; ", end=""
    )
    print(f"bound {JOIN_BOUND_SECONDS:.0f} s: {_verdict(slowest <= JOIN_BOUND_SECONDS)}")
    print(f"to its first trial: {_seconds(begins)}")
    print(f"{trials} one-second trials on {SLOTS} slots: {slurm.trials:.1f} s, ideal {ideal:.1f} s: ", end="")
    print(f"ratio {overhead:.2f}, bound {OVERHEAD_BOUND}: {_verdict(overhead <= OVERHEAD_BOUND)}")
    print(f"the same by `noisebench run` with {SLOTS} slots: {here.trials:.1f} s: ", end="")
    print(f"ratio {beside:.2f}, bound {LOCAL_BOUND}: {_verdict(beside <= LOCAL_BOUND)}")
    print(f"from the command to the last trial's end: {slurm.whole:.1f} s, {here.whole:.1f} s: ", end="")
    print(f"ratio {slurm.whole / here.whole:.2f}")
    return slowest <= JOIN_BOUND_SECONDS and overhead <= OVERHEAD_BOUND and beside <= LOCAL_BOUND


def measure(folder: Path, trials: int) -> tuple[list[float], list[float], Times]:
    """Run the sweep on Slurm; return each worker's seconds to joining, to its first trial; the sweep's."""
    from noisebench.records.folders import ResultsFolder
    from noisebench.slurm.client import Slurm
    from noisebench.slurm.site import parse_site
    from noisebench.slurm.submission import job_name
    from noisebench.slurm.submit import Request, submit
    from noisebench.sweep.sweep import parse_sweep

    results = ResultsFolder(folder / "results")
    sweep = parse_sweep(SWEEP.format(trials=trials), "one-second.yaml")
    begun = datetime.now().astimezone()
    submit(sweep, parse_site(SITE, "site.yaml"), results, Request(execute=EXECUTE))
    folder_of_sweep = results.sweep(sweep.name)
    names = [job_name(folder_of_sweep, role) for role in ("driver", "worker")]
    slurm = Slurm()
    starts: dict[str, datetime] = {}
    while live := slurm.live_jobs(names):
        for job in live:
            if job.name == names[1] and job.state == "RUNNING" and job.node not in starts:
                starts[job.node] = datetime.now().astimezone()
        time.sleep(0.2)
    first, last = moments(folder_of_sweep, trials)
    begins = [(first[node] - start).total_seconds() for node, start in starts.items()]
    joined = [_joined(log) for log in (folder_of_sweep.slurm / "jobs").glob("*_*_0_log.out")]
    earliest = min(starts.values())
    joins = [(moment - earliest).total_seconds() for moment in joined]
    assert len(joins) == len(starts), joins
    return joins, begins, times(begun, first, last)


def measure_here(folder: Path, trials: int) -> Times:
    """Run the same sweep on a Ray of this machine."""
    from noisebench.engine.options import Options
    from noisebench.engine.run import run_sweep
    from noisebench.records.folders import ResultsFolder
    from noisebench.sweep.sweep import parse_sweep

    results = ResultsFolder(folder / "here")
    sweep = parse_sweep(SWEEP.format(trials=trials), "one-second.yaml")
    begun = datetime.now().astimezone()
    run_sweep(sweep, results, Options(cpus=SLOTS, gpus=0, execute=EXECUTE))
    return times(begun, *moments(results.sweep(sweep.name), trials))


def times(begun: datetime, first: dict[str, datetime], last: datetime) -> Times:
    """Return the seconds of a sweep that was begun at a moment."""
    return Times((last - min(first.values())).total_seconds(), (last - begun).total_seconds())


def moments(sweep: SweepFolder, trials: int) -> tuple[dict[str, datetime], datetime]:
    """Return when the first trial of each host began, and when the last of all ended."""
    from noisebench.records.attempts import Ended, Started, Status
    from noisebench.records.journal import records

    lines = list(records(sweep.journal))
    begun = [record for record in lines if isinstance(record, Started)]
    ended = [record for record in lines if isinstance(record, Ended) and record.status == Status.COMPLETED]
    assert len(ended) == trials, f"{len(ended)} of {trials} trials were completed"
    hosts = {record.host for record in begun if record.host is not None}
    first = {host: min(record.started_at for record in begun if record.host == host) for host in hosts}
    return first, max(record.ended_at for record in ended)


def _joined(log: Path) -> datetime:
    """Return when a worker's Ray was up, according to its job's log."""
    line = next(line for line in log.read_text().splitlines() if "Ray runtime started" in line)
    return datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").astimezone()


def _seconds(values: list[float]) -> str:
    return ", ".join(f"{value:.1f} s" for value in values)


def _verdict(holds: bool) -> str:
    return "ok" if holds else "short"


if __name__ == "__main__":
    sys.exit(main())
