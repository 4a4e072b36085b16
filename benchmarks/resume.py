"""Row 9: CPU seconds of the command `noisebench resume` for a sweep with nothing pending.

`python -m benchmarks.resume [--trials N] [--repeats N]`
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.row import Row, at_most, print_rows
from noisebench.records import attempts
from noisebench.records.attempts import End, Result, Status
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter
from noisebench.records.manifest import keep_sweep
from noisebench.sweep.sweep import Sweep, parse_sweep

BAR = 2
SWEEP = """\
sweep: finished
blocks:
  grid:
    dataset: digits
    corruption: {{kind: uniform, rate: 0.2}}
    loss: {{name: BL, gamma: [0.1, 0.2, 0.3, 0.4, 0.5]}}
    seeds: {seeds}
"""


def finish(sweep: Sweep, results: ResultsFolder) -> None:
    """Write the journal of a sweep of which every trial has completed."""
    keep_sweep(results.sweep(sweep.name), sweep)
    result = Result(f1=0.9, precision=0.9, recall=0.9, samples=1797, seconds=1.0)
    with JournalWriter(results.journal / sweep.name, "bench") as journal:
        for number, trial in enumerate(sweep.trials()):
            attempt = f"{number:032x}"
            journal.append(attempts.started(attempt, sweep.name, trial, "bench-0", "cpu"), durable=False)
            ended = attempts.ended(attempt, sweep.name, trial.trial_id, End(Status.COMPLETED))
            journal.append(replace(ended, seconds=1.0, result=result), durable=False)


def resume_seconds(results: ResultsFolder, sweep: str) -> float:
    """Return the CPU seconds of the command, including the start of the interpreter."""
    code = "from noisebench.cli.app import main; main()"
    command = [sys.executable, "-c", code, "resume", sweep, "--results", str(results.root)]
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def rows(trials: int, repeats: int) -> Iterator[Row]:
    """Measure the first resume, which ingests the journal, then the later ones."""
    with tempfile.TemporaryDirectory(prefix="noisebench-bench-") as folder:
        results = ResultsFolder(Path(folder))
        sweep = parse_sweep(SWEEP.format(seeds=trials // 5), "finished.yaml")
        finish(sweep, results)
        first = resume_seconds(results, sweep.name)
        later = statistics.median(resume_seconds(results, sweep.name) for _ in range(repeats))
        figures = f"{later:.2f} s of CPU; {first:.2f} s the first time, ingest of the journal included"
        yield at_most("9", f"resume of {trials:,} finished trials", figures, later, BAR, " s")


def main() -> None:
    """Print the row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    print_rows(rows(options.trials, options.repeats), as_json=options.json)


if __name__ == "__main__":
    main()
