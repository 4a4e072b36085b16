"""Results folders that a command reads."""

from __future__ import annotations

from pathlib import Path

from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder


def existing(results: Path) -> ResultsFolder:
    """Return the results folder; InputError where there is none."""
    if not results.is_dir():
        raise InputError(f"{results}: there is no results folder here; say which with --results DIR")
    return ResultsFolder(results.absolute())


def sweeps_in(folder: ResultsFolder) -> list[str]:
    """Return the names of all sweeps that were run or submitted; InputError where there is none."""
    found = sorted(path.parent.name for path in folder.sweeps.glob("*/manifest.jsonl"))
    if not found:
        raise InputError(f"{folder.root}: no sweep has been run or submitted with these results yet")
    return found


def known(folder: ResultsFolder, sweep: str) -> str:
    """Return the sweep's name; InputError with the names there are where it is none of them."""
    if not folder.sweep(sweep).manifest.is_file():
        raise InputError(f"{folder.root}: no sweep '{sweep}' here; known: {', '.join(sweeps_in(folder))}")
    return sweep
