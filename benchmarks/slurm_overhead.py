"""What Slurm and Ray add to a sweep: how soon a worker works, how much 200 one-second trials take on 8 slots.

Starts the Slurm of slurm/devcluster (its packages must be installed) and stops it again.
`python benchmarks/slurm_overhead.py [--trials 200]`
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEVCLUSTER = ROOT / "slurm/devcluster/devcluster.sh"
SLOTS = 8
OVERHEAD_BOUND = 1.25
JOIN_BOUND_SECONDS = 20.0
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


def main() -> int:
    """Print both figures; 0 if both are within their bounds, 1 otherwise."""
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
            joins, begins, seconds = measure(Path(folder), trials)
        finally:
            subprocess.run([DEVCLUSTER, "down"], check=True)
    ideal = trials / SLOTS
    overhead, slowest = seconds / ideal, max(joins)
    print(
        f"a worker's job start to its joining Ray, the driver starting beside it: {_seconds(joins)}; ", end=""
    )
    print(f"bound {JOIN_BOUND_SECONDS:.0f} s: {_verdict(slowest <= JOIN_BOUND_SECONDS)}")
    print(f"to its first trial: {_seconds(begins)}")
    print(f"{trials} one-second trials on {SLOTS} slots: {seconds:.1f} s, ideal {ideal:.1f} s: ", end="")
    print(f"ratio {overhead:.2f}, bound {OVERHEAD_BOUND}: {_verdict(overhead <= OVERHEAD_BOUND)}")
    return 0 if slowest <= JOIN_BOUND_SECONDS and overhead <= OVERHEAD_BOUND else 1


def measure(folder: Path, trials: int) -> tuple[list[float], list[float], float]:
    """Run the sweep on Slurm; return each worker's seconds to joining, to its first trial; first to last."""
    from noisebench.records.attempts import Ended, Started, Status
    from noisebench.records.folders import ResultsFolder
    from noisebench.records.journal import records
    from noisebench.slurm.client import Slurm
    from noisebench.slurm.site import parse_site
    from noisebench.slurm.submission import job_name
    from noisebench.slurm.submit import Request, submit
    from noisebench.sweep.sweep import parse_sweep

    results = ResultsFolder(folder / "results")
    sweep = parse_sweep(SWEEP.format(trials=trials), "one-second.yaml")
    request = Request(execute="benchmarks.noop:one_second")
    submit(sweep, parse_site(SITE, "site.yaml"), results, request)
    folder_of_sweep = results.sweep(sweep.name)
    names = [job_name(folder_of_sweep, role) for role in ("driver", "worker")]
    slurm = Slurm()
    starts: dict[str, datetime] = {}
    while live := slurm.live_jobs(names):
        for job in live:
            if job.name == names[1] and job.state == "RUNNING" and job.node not in starts:
                starts[job.node] = datetime.now().astimezone()
        time.sleep(0.2)
    lines = list(records(results.sweep(sweep.name).journal))
    begun = [record for record in lines if isinstance(record, Started)]
    ended = [record for record in lines if isinstance(record, Ended) and record.status == Status.COMPLETED]
    assert len(ended) == trials, f"{len(ended)} of {trials} trials were completed"
    first = {node: min(record.started_at for record in begun if record.host == node) for node in starts}
    begins = [(first[node] - start).total_seconds() for node, start in starts.items()]
    joined = [_joined(log) for log in (results.sweep(sweep.name).slurm / "jobs").glob("*_*_0_log.out")]
    earliest = min(starts.values())
    joins = [(moment - earliest).total_seconds() for moment in joined]
    assert len(joins) == len(starts), joins
    last = max(record.ended_at for record in ended)
    return joins, begins, (last - min(first.values())).total_seconds()


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
