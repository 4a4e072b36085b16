"""Options that several of the commands share."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from noisebench.errors import InputError, NoisebenchError
from noisebench.records.folders import ResultsFolder


def parser(command: str, description: str | None, out: bool = True) -> argparse.ArgumentParser:
    """Return a parser with --results, --sweep and, where the command writes files, --out."""
    options = argparse.ArgumentParser(prog=f"python -m analysis.{command}", description=description)
    default = os.environ.get("NOISEBENCH_RESULTS", "results")
    options.add_argument("--results", type=Path, default=Path(default), help="results folder")
    options.add_argument("--sweep", help="read every block from this sweep; default: the fullest of each")
    if out:
        options.add_argument("--out", type=Path, required=True, help="folder to write to")
    return options


def existing(results: Path) -> ResultsFolder:
    """Return the results folder; raises InputError where there is none."""
    if not results.is_dir():
        raise InputError(f"{results}: no results folder here; name one with --results DIR")
    return ResultsFolder(results.absolute())


def run(main: Callable[[list[str]], int]) -> None:
    """Run a command and exit; a user's mistake is one clear message, never a traceback."""
    try:
        sys.exit(main(sys.argv[1:]))
    except NoisebenchError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
