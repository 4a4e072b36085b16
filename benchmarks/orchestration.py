"""Row 6: wall time for each no-op trial, end to end, beside bare Ray Tune with the same settings.

Ours leaves two journal lines a trial (one fsynced), a heartbeat, a DuckDB database; the peer is a reused
class trainable that returns the same numbers. Runs alternate; the ratio is the median over the pairs.
`python -m benchmarks.orchestration [--trials 2000] [--runs 3]`
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.row import Row, at_most, print_rows

BOUND = 1.3
MEMORY_BOUND_MB = 500
ROOT = Path(__file__).resolve().parents[1]

SWEEP = """\
sweep: no-op
blocks:
  grid:
    dataset: digits
    corruption: {{kind: uniform, rate: 0.2}}
    loss: CE
    seeds: {trials}
"""


def ours(trials: int, cpus: int) -> dict[str, float]:
    """Run the sweep of no-op trials through `run_sweep`; seconds from the start of Tune's work to the end."""
    from noisebench.engine.options import Options
    from noisebench.engine.run import run_sweep
    from noisebench.records.folders import ResultsFolder
    from noisebench.store.query import query
    from noisebench.sweep.sweep import parse_sweep

    with tempfile.TemporaryDirectory(prefix="noisebench-bench-") as folder:
        results = ResultsFolder(Path(folder))
        options = Options(cpus=cpus, execute="benchmarks.noop:execute")
        begun, cpu_begun = time.perf_counter(), time.process_time()
        outcome = run_sweep(parse_sweep(SWEEP.format(trials=trials), "no-op.yaml"), results, options)
        seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu_begun
        assert outcome.completed == trials, outcome
        ((rows,),) = query(results, "SELECT count(*) FROM runs").rows()
        assert rows == trials, rows
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "memory_mb": _peak_memory_mb()}


def _no_op() -> type:
    from ray import tune

    class NoOp(tune.Trainable):
        def setup(self, config: dict[str, int]) -> None:
            self.seed = config["seed"]

        def reset_config(self, new_config: dict[str, int]) -> bool:
            self.seed = new_config["seed"]
            return True

        def step(self) -> dict[str, float | bool]:
            return {"f1": (self.seed % 97) / 97, "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> dict[str, object]:
            del checkpoint_dir
            return {}

    return NoOp


def bare(trials: int, cpus: int) -> dict[str, float]:
    """Run as many trials through bare Ray Tune: class trainable, reused actors, no callbacks."""
    import ray
    from ray import tune

    from noisebench.engine.ray_session import local_ray
    from noisebench.engine.tune import TUNE_ENVIRONMENT

    begun = time.perf_counter()
    os.environ.update(TUNE_ENVIRONMENT)
    with local_ray(cpus, 0) as scratch:
        results = tune.Tuner(
            tune.with_resources(_no_op(), tune.PlacementGroupFactory([{"CPU": 1}])),
            param_space={"seed": tune.grid_search(list(range(trials)))},
            tune_config=tune.TuneConfig(reuse_actors=True, max_concurrent_trials=cpus),
            run_config=tune.RunConfig(
                name="bare",
                storage_path=str(scratch),
                verbose=0,
                callbacks=[],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
        assert len(results) == trials
        assert results.num_errors == 0
    assert not ray.is_initialized()
    return {"seconds": time.perf_counter() - begun, "memory_mb": _peak_memory_mb()}


def _peak_memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_new_process(what: str, trials: int, cpus: int) -> dict[str, float]:
    """Run `ours` or `bare` in a process of its own; return what it measured."""
    script = [sys.executable, "-m", "benchmarks.orchestration"]
    command = [*script, "--only", what, "--trials", str(trials), "--cpus", str(cpus)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def rows(trials: int, runs: int, cpus: int) -> Iterator[Row]:
    """Measure both in turn, then our driver's memory."""
    runs_of: dict[str, list[dict[str, float]]] = {"ours": [], "bare": []}
    for number in range(runs):
        for what, measured in runs_of.items():
            measured.append(in_new_process(what, trials, cpus))
            print(f"run {number + 1} {what}: {measured[-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    pairs = zip(runs_of["ours"], runs_of["bare"], strict=True)
    ratio = statistics.median(ours["seconds"] / bare["seconds"] for ours, bare in pairs)
    each = {
        what: 1000 * statistics.median(run["seconds"] for run in measured) / trials
        for what, measured in runs_of.items()
    }
    what = f"{trials:,} no-op trials, {cpus} at a time"
    yield at_most(
        "6", what, f"{each['ours']:.1f} ms a trial, bare Ray Tune {each['bare']:.1f} ms", ratio, BOUND
    )
    memory = max(run["memory_mb"] for run in runs_of["ours"])
    yield at_most("6", f"driver's peak memory at {trials:,} trials", "", memory, MEMORY_BOUND_MB, " MB")


def main() -> None:
    """Print both rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cpus", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=["ours", "bare"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps({"ours": ours, "bare": bare}[options.only](options.trials, options.cpus)))
        return
    print_rows(rows(options.trials, options.runs, options.cpus), as_json=options.json)


if __name__ == "__main__":
    main()
