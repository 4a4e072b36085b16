"""The driver: rows of figures on stdout, a fault with its number on stderr; exit code 1 for a fault."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random

from tests.fuzz.archives import ARCHIVES_IN_A_FOLDER, archives
from tests.fuzz.files import files
from tests.fuzz.lines import LINES_IN_A_FOLDER, lines
from tests.fuzz.queries import QUERIES_IN_A_SNAPSHOT, queries
from tests.fuzz.reviews import reviews, tables
from tests.fuzz.texts import profiles, specs
from tests.memory import keep_temporary_files_in_memory

# Checks some inputs; returns how often each outcome came.
Check = Callable[[Random], Counter[str]]
KINDS: dict[str, Callable[[Path], AbstractContextManager[Check]]] = {
    "queries": queries,
    "lines": lines,
    "specs": specs,
    "profiles": profiles,
    "archives": archives,
    "files": files,
    "tables": tables,
    "reviews": reviews,
}
# How many inputs one check has; one if not given.
INPUTS = {"queries": QUERIES_IN_A_SNAPSHOT, "lines": LINES_IN_A_FOLDER, "archives": ARCHIVES_IN_A_FOLDER}


def fuzz(kind: str, inputs: int, seed: int, tmp: Path, start: int = 0) -> Counter[str]:
    """Check inputs `start` to `start + inputs` of one kind; return how often each outcome came.

    An error has a note with the number of its check.
    """
    outcomes: Counter[str] = Counter()
    each = INPUTS.get(kind, 1)
    with KINDS[kind](tmp) as check:
        for number in range(start // each, -(-(start + inputs) // each)):
            try:
                outcomes += check(Random(f"{seed} {kind} {number}"))
            except Exception as error:
                error.add_note(f"{kind}: seed {seed}, inputs from {number * each}")
                raise
    return outcomes


def main() -> int:
    """Run the kinds that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--start", type=int, default=0, help="the number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=KINDS)
    options = parser.parse_args()
    keep_temporary_files_in_memory()
    faults = 0
    for kind in [options.only] if options.only else KINDS:
        begun = time.monotonic()
        try:
            with tempfile.TemporaryDirectory() as tmp:
                outcomes = fuzz(kind, options.inputs, options.seed, Path(tmp), options.start)
        except Exception as error:
            faults += 1
            print(f"{kind}: {type(error).__name__}: {error}; {error.__notes__[-1]}", file=sys.stderr)
            continue
        figures = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
        seconds = time.monotonic() - begun
        print(f"| {kind} | {outcomes.total()} | {options.seed} | {seconds:.0f} | {figures} |", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
