"""The driver: figures of each kind on stdout, a fault with its input on stderr; exit code 1 for a fault."""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random

from tests.fuzz.archives import archives
from tests.fuzz.lines import LINES_IN_A_FOLDER, lines
from tests.fuzz.queries import queries
from tests.fuzz.texts import profiles, specs

Check = Callable[[Random], str]
KINDS: dict[str, Callable[[Path], AbstractContextManager[Check]]] = {
    "queries": queries,
    "lines": lines,
    "specs": specs,
    "profiles": profiles,
    "archives": archives,
}
# How many inputs one check has.
INPUTS = {"lines": LINES_IN_A_FOLDER}


def fuzz(kind: str, inputs: int, seed: int, tmp: Path) -> Counter[str]:
    """Run the checks of one kind; return how often each outcome came. An error names its number."""
    outcomes: Counter[str] = Counter()
    with KINDS[kind](tmp) as check:
        for number in range(-(-inputs // INPUTS.get(kind, 1))):
            try:
                outcomes[check(Random(f"{seed} {kind} {number}"))] += 1
            except Exception as error:
                error.add_note(f"{kind}: seed {seed}, check {number}")
                raise
    return outcomes


def main() -> int:
    """Run the kinds that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=KINDS)
    options = parser.parse_args()
    faults = 0
    for kind in [options.only] if options.only else KINDS:
        with tempfile.TemporaryDirectory() as tmp:
            try:
                outcomes = fuzz(kind, options.inputs, options.seed, Path(tmp))
            except Exception as error:
                faults += 1
                print(f"{kind}: {type(error).__name__}: {error}; {error.__notes__[-1]}", file=sys.stderr)
                continue
        print(f"| {kind} | {options.inputs} | {options.seed} | {figures(kind, outcomes)} |", flush=True)
    return 1 if faults else 0


def figures(kind: str, outcomes: Counter[str]) -> str:
    """Return the outcomes as text, most frequent first; of lines how many were skipped."""
    if kind in INPUTS:
        skipped = sum(int(outcome.split()[0]) * count for outcome, count in outcomes.items())
        return f"{skipped} skipped, {outcomes.total() * INPUTS[kind] - skipped} taken in"
    return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())


if __name__ == "__main__":
    sys.exit(main())
