"""Rows 2, 3, 4 and 10: training on a GPU: `python benchmarks/gpu.py --data DIR --out ROWS.jsonl`.

Every row is measured in a process of its own with its own time limit, and printed, and appended to the file
of `--out`, as soon as it is there: a row that fails, hangs or breaks the GPU's state takes no other with it.
All together take at most `--total` seconds; the rows that are left then are named.
Runs from a checkout with torch, torchvision, numpy, scipy, scikit-learn, pandas, pyarrow and psutil; without
cleanlab the trial of row 2 flags the samples whose most probable class is another. MNIST is read from DIR,
images of CIFAR's shape are seeded noise. `--only NAME ...` measures some rows, `--device cpu --tiny` runs
every line of it anywhere, `--probabilities FILE` keeps the out-of-fold probabilities of row 2 for
`python -m benchmarks.detect FILE`.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import grid  # noqa: E402
from benchmarks.gpu_bench import Bench, Rate, Unequal  # noqa: E402
from benchmarks.gpu_rows import ROWS  # noqa: E402
from benchmarks.row import Row, at_most, failed, not_measured, print_rows  # noqa: E402

GRID = "grid"
# A row needs this long to import torch.
LEAST_SECONDS = 10.0


def measured(name: str, options: argparse.Namespace, limit: float) -> Iterator[dict[str, object]]:
    """Measure one row in a child process; yield the lines it prints as they come, then why it ended early."""
    command = [sys.executable, *_interpreter_options(), __file__, "--row", name, *_passed_on(options)]
    lines: queue.Queue[str | None] = queue.Queue()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
        reader.start()
        ends = time.monotonic() + limit
        try:
            while (line := lines.get(timeout=max(0.0, ends - time.monotonic()))) is not None:
                yield json.loads(line)
        except queue.Empty:
            process.kill()
            yield _failure(name, f"not done within {limit:.0f} s")
            return
        if process.wait() != 0:
            yield _failure(name, f"its process ended with code {process.returncode}")


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Measure all chosen rows; the grid is projected from the rates that the others found.

    Modes whose equality row is short do not count, also where that row comes after their rate.
    """
    rates: list[Rate] = []
    unequal: set[tuple[str, str]] = set()
    ends = time.monotonic() + options.total
    for name in (name for name in ROWS if name in options.only):
        left = ends - time.monotonic()
        if left < LEAST_SECONDS:
            yield not_measured(ROWS[name].number, name, "", f"no time left of {options.total:.0f} s")
            continue
        for line in measured(name, options, min(left, options.limit or ROWS[name].seconds)):
            if "unequal_modes" in line:
                unequal.add((str(line["model"]), str(line["unequal_modes"])))
            elif "model" in line:
                rates.append(Rate(**line))  # type: ignore[arg-type]
            else:
                yield Row(**{key: str(value) for key, value in line.items()})
    if GRID in options.only:
        yield _grid([rate for rate in rates if (rate.model, rate.modes) not in unequal])


def kept(measured: Iterator[Row], out: Path | None) -> Iterator[Row]:
    """Append each row to `out`, on the disk, before it is passed on."""
    for row in measured:
        if out is not None:
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row)) + "\n")
                file.flush()
                os.fsync(file.fileno())
        yield row


def measure_here(name: str, options: argparse.Namespace) -> None:
    """Measure one row in this process; print what it finds, as JSON lines, as soon as it is there."""
    device = torch.device(options.device)
    if device.type == "cpu":
        torch.set_num_threads(1)

    def report(entry: Row | Rate | Unequal) -> None:
        print(json.dumps(asdict(entry)), flush=True)

    bench = Bench(device, options.data, options.probabilities, options.tiny, report)
    try:
        for row in ROWS[name].measure(bench):
            report(row)
    except Exception as error:
        report(failed(ROWS[name].number, error))
        raise


def _read(stream: Iterator[str], lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _interpreter_options() -> list[str]:
    return [option for name in sys.warnoptions for option in ("-W", name)]


def _passed_on(options: argparse.Namespace) -> list[str]:
    words = ["--device", options.device]
    for name in ("data", "probabilities"):
        if getattr(options, name) is not None:
            words += [f"--{name}", str(getattr(options, name))]
    return [*words, *(["--tiny"] if options.tiny else [])]


def _failure(name: str, reason: str) -> dict[str, object]:
    return asdict(Row(ROWS[name].number, name, reason, "", "", "failed"))


def _grid(rates: list[Rate]) -> Row:
    """Project the grid from the fastest of each model's modes that are equal to the reference."""
    what, models = "the whole grid, projected", {rate.model for rate in rates}
    missing = [model for model in grid.GRID if model not in models]
    if missing:
        return not_measured("10", what, "<= 75 h", f"no rate of {', '.join(missing)}")
    best = {rate.model: rate for rate in sorted(rates, key=lambda rate: rate.training)}
    hours = grid.hours(
        {model: rate.training for model, rate in best.items()},
        {model: rate.evaluation for model, rate in best.items()},
    )
    chosen = ", ".join(f"{model} {rate.modes}" for model, rate in sorted(best.items()))
    figures = f"published 1,800 h of V100, operations alone 27 h of H200; {chosen}"
    return at_most("10", what, figures, hours, 75, " h")


def _without_gpu() -> Iterator[Row]:
    yield not_measured("2", "small CNN training, 5-fold trial", ">= 20x, <= 3 s")
    yield not_measured("3", "ResNet-34 training", ">= 40%")
    yield not_measured("4", "5 folds at a time", ">= 3.5x, >= 2x")
    yield not_measured("10", "the whole grid, projected", "<= 75 h")


def _on_cpu(row: Row) -> Row:
    return row if row.verdict == "failed" else replace(row, verdict="not measured")


def main() -> None:
    """Print every row; figures of a CPU are not a measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, help="append each row to this file as one JSON line")
    parser.add_argument("--probabilities", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--only", nargs="+", choices=[*ROWS, GRID], default=[*ROWS, GRID])
    parser.add_argument("--limit", type=float, help="seconds for each row; default: the row's own")
    parser.add_argument(
        "--total", type=float, default=570.0, help="seconds for all rows; default: %(default)s"
    )
    parser.add_argument("--tiny", action="store_true", help="so little that the figures mean nothing")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--row", choices=list(ROWS), help="measure this row in this very process")
    options = parser.parse_args()
    if options.row is not None:
        measure_here(options.row, options)
        return
    # The parent never touches the GPU: its context would share the GPU's memory with every row.
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print_rows(_without_gpu(), as_json=options.json)
        return
    measured = kept(rows(options), options.out)
    print_rows((_on_cpu(row) for row in measured) if device.type == "cpu" else measured, as_json=options.json)


if __name__ == "__main__":
    main()
