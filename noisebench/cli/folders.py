"""The results folder and the sweep that a command reads."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from noisebench.cli.terminal import printable
from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder, SweepFolder

if TYPE_CHECKING:
    from noisebench.store.ingest import IngestReport
    from noisebench.sweep.sweep import Sweep


def existing(results: Path) -> ResultsFolder:
    """Return the results folder; raise InputError if there is none."""
    if not results.is_dir():
        raise InputError(f"{results}: there is no results folder here; name one with --results DIR")
    return ResultsFolder(results.absolute())


def sweeps_in(folder: ResultsFolder) -> list[str]:
    """Return the names of all sweeps that were run or submitted; raise InputError if there is none."""
    names = sorted(path.parent.name for path in folder.sweeps.glob("*/manifest.jsonl"))
    if not names:
        raise InputError(f"{folder.root}: no sweep has been run or submitted with these results yet")
    return names


def sweep_folder(results: Path, sweep: str) -> SweepFolder:
    """Return the folder of a sweep that was run or submitted.

    It is looked for in `results`; a sweep that was submitted to a cluster also where its results are. Raises
    InputError with the known names if it is not there.
    """
    from noisebench.cli.slurm import submitted_results

    folder = submitted_results(sweep, results).sweep(sweep)
    if not folder.manifest.is_file():
        known = ", ".join(sweeps_in(existing(results)))
        raise InputError(f"{results.absolute()}: no sweep '{sweep}' here; known: {known}")
    return folder


def warn_of_files(report: IngestReport) -> None:
    """Print which files and lines could not be read, and which journal files are gone with their records."""
    for skipped in report.skipped:
        print(printable(f"warning: {skipped.location} could not be read: {skipped.why}"), file=sys.stderr)
    for file in report.lost:
        print(
            printable(
                f"warning: {file} is gone or shorter than it was, and so are its records; restore it from a "
                "backup (`noisebench verify` names all such files)"
            ),
            file=sys.stderr,
        )


def sweep_of(spec: str, results: Path, settings: Sequence[str]) -> tuple[Sweep, ResultsFolder]:
    """Return a sweep, by its YAML file or by its name if it was run or submitted, with its results folder."""
    from noisebench.records.manifest import kept_spec
    from noisebench.sweep.sweep import load_sweep, parse_sweep

    path = Path(spec)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return load_sweep(path, settings), ResultsFolder(results.absolute())
    folder = sweep_folder(results, spec)
    return parse_sweep(kept_spec(folder), str(folder.spec), settings), folder.results
