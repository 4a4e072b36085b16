"""Every benchmark, one table: `python -m benchmarks.table [--data DIR] [--quick]`.

The scripts run one after another, each in a new process. The heading names machine and versions.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.row import VERDICTS, Row, text
from noisebench.records import provenance

ROOT = Path(__file__).resolve().parents[1]

SCRIPTS = ("small_cnn", "gpu", "margins", "evidence", "orchestration", "store", "resume")
# Enough to see that everything runs; the figures mean nothing.
QUICK = {
    "small_cnn": ("--pairs", "1"),
    "gpu": ("--tiny",),
    "margins": ("--samples", "3000", "--repeats", "1"),
    "evidence": ("--epochs", "1"),
    "orchestration": ("--trials", "20", "--runs", "1"),
    "store": ("--records", "200", "--trials", "10000"),
    "resume": ("--trials", "100", "--repeats", "1"),
}
WITH_DATA = ("small_cnn", "gpu", "evidence")


def rows_of(script: str, arguments: Sequence[str], data_dir: Path | None) -> Iterator[Row]:
    """Run one script; yield its rows as it prints them. Its stderr is passed on."""
    data = ["--data", str(data_dir)] if data_dir is not None and script in WITH_DATA else []
    command = [sys.executable, "-m", f"benchmarks.{script}", *arguments, *data, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield Row(**json.loads(line))
    if process.returncode:
        raise SystemExit(f"{script} failed with exit code {process.returncode}")


def heading() -> list[str]:
    """Return the lines that name the machine, the commit and the versions."""
    versions = provenance.versions()
    processor = f"{len(os.sched_getaffinity(0))} x {versions.pop('cpu')}"
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return [f"{processor}; {_gpu()}; commit {provenance.commit()}; {named}", text(Row(*Row.HEADER))]


def _gpu() -> str:
    # In a new process: a process that has used the GPU keeps memory there until it ends.
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main() -> None:
    """Print the table, row by row as they are measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = os.environ.get("NOISEBENCH_DATA")
    parser.add_argument("--data", type=Path, default=Path(data) if data else None)
    parser.add_argument(
        "--quick", action="store_true", help="Run everything with tiny sizes, to see that it works."
    )
    parser.add_argument("--only", choices=sorted(SCRIPTS), nargs="*", default=list(SCRIPTS))
    options = parser.parse_args()
    for line in heading():
        print(line, flush=True)
    verdicts = []
    for script in options.only:
        for row in rows_of(script, QUICK[script] if options.quick else (), options.data):
            verdicts.append(row.verdict)
            print(text(row), flush=True)
    print(", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in VERDICTS))


if __name__ == "__main__":
    main()
