"""`python -m analysis.compare`: our cells beside the published ones, with a verdict for each."""

import csv
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from analysis.feeding import Feed, feed
from analysis.items import BLOCK_SPECS, PUBLISHED, SOURCE_BLOCKS
from analysis.listing import Listing
from analysis.options import existing, parser, run
from noisebench.store.comparison import comparison
from noisebench.store.published import load_published

TOLERANCE = 0.001
VERDICTS = ("reproduced", "higher", "lower", "too few seeds", "no verdict", "missing")
# A cell with one of these says nothing of the paper.
_SILENT = ("missing", "no verdict")

Row = dict[str, Any]


def compared(source: Feed, tolerance: float = TOLERANCE) -> list[Row]:
    """Load the published numbers and return each beside ours; see `noisebench.store.comparison`."""
    load_published(source.results, PUBLISHED)
    feeds = {name: (sweep, block) for name, block in SOURCE_BLOCKS.items() if (sweep := source.sweep(block))}
    return comparison(source.results, feeds, tolerance)


def exit_code(rows: list[Row]) -> int:
    """Return 0 if a published cell has results and all that have are reproduced, else 1.

    Too few seeds reproduce nothing; cells without verdict do not count.
    """
    return 0 if {row["verdict"] for row in rows if row["verdict"] not in _SILENT} == {"reproduced"} else 1


def summary(rows: list[Row]) -> list[Row]:
    """Return one row a source: how many cells have each verdict, how many chosen parameters agree."""
    found = []
    for source in dict.fromkeys(row["source"] for row in rows):
        own = [row for row in rows if row["source"] == source]
        counts = Counter(row["verdict"] for row in own)
        best = [row for row in own if row["best_verdict"] is not None]
        found.append(
            {
                "source": source,
                "cells": len(own),
                **{verdict: counts[verdict] for verdict in VERDICTS},
                "best over grid": len(best),
                "best reproduced": sum(row["best_verdict"] == "reproduced" for row in best),
                "parameter agrees": sum(bool(row["parameter_agrees"]) for row in best),
            }
        )
    return found


def conclusion(rows: list[Row]) -> str:
    """Return what came of the comparison in one line."""
    counts = Counter(row["verdict"] for row in rows if row["verdict"] not in _SILENT)
    if not counts:
        return "nothing to compare: no published cell has results"
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    return f"{counts.total()} of {len(rows)} published cells have results: {verdicts}"


def listings(rows: list[Row]) -> tuple[Listing, Listing]:
    """Return the summary, then every cell that has results."""
    counts = summary(rows)
    missing = dict.fromkeys(row["source"] for row in rows if row["verdict"] == "missing")
    notes = [
        f"{source}: missing cells are made by noisebench run sweeps/{BLOCK_SPECS[SOURCE_BLOCKS[source]]}."
        for source in missing
    ]
    lines = [[str(value) for value in row.values()] for row in counts]
    heads = ["source", "data set", "eta", "loss", "metric", "published", "ours", "difference", "/ s.e."]
    heads += ["verdict", "our best", "at", "verdict of best"]
    cells = [_line(row) for row in rows if row["verdict"] != "missing"]
    return (
        Listing("comparison", "Comparison with the published numbers", list(counts[0]), lines, notes),
        Listing("comparison-cells", "Published cells that have results", heads, cells),
    )


def main(arguments: list[str]) -> int:
    """Print the comparison; return the exit code."""
    options = parser("compare", __doc__, out=False)
    options.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help="what is added to 2 s; default: %(default)s"
    )
    options.add_argument("--json", action="store_true", help="print every cell as JSON")
    options.add_argument("--out", type=Path, help="folder to write comparison.md and comparison.csv to")
    options.add_argument("--exit-zero", action="store_true", help="exit 0 whatever the verdicts are")
    given = options.parse_args(arguments)
    rows = compared(feed(existing(given.results), given.sweep), given.tolerance)
    code = exit_code(rows)
    if given.out is not None:
        _write(rows, given.out)
    if given.json:
        print(json.dumps({"exit_code": code, "summary": summary(rows), "cells": rows}))
    else:
        print(_markdown(rows), end="")
    differing = [row for row in rows if row["verdict"] in ("higher", "lower")]
    for row in differing:
        print(f"not reproduced: {' '.join(_line(row)[:10])}", file=sys.stderr)
    print(conclusion(rows), file=sys.stderr)
    return 0 if given.exit_zero else code


def _markdown(rows: list[Row]) -> str:
    return "\n".join(listing.markdown() for listing in listings(rows))


def _write(rows: list[Row], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "comparison.md").write_text(_markdown(rows), encoding="utf-8")
    with (out / "comparison.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _line(row: Row) -> list[str]:
    digits = row["decimals"]
    loss = row["loss"] if row["value"] is None else f"{row['loss']} {row['parameter']}={row['value']:g}"
    eta = "" if row["eta"] is None else f"{row['eta']:g}"
    errors = "" if row["standard_errors"] is None else f"{round(row['standard_errors'], 1) + 0.0:+.1f}"
    found = [row["source"], row["dataset"], eta, loss, row["metric"]]
    found += [_number(row["published_mean"], row["published_std"], digits)]
    found += [_number(row["mean"], row["std"], digits) + f" (n={row['n']})"]
    found += [f"{round(row['difference'], digits + 1) + 0.0:+.{digits + 1}f}", errors, row["verdict"]]
    if row["best_mean"] is None:
        return [*found, "", "", ""]
    best = _number(row["best_mean"], row["best_std"], digits)
    at = (
        "the same"
        if row["parameter_agrees"]
        else f"{row['parameter']}={row['best_value']:g}, delay={row['best_delay']}"
    )
    return [*found, best, at, row["best_verdict"]]


def _number(mean: float, std: float | None, digits: int) -> str:
    return f"{mean:.{digits}f}" + ("" if std is None else f" ± {std:.{digits}f}")


if __name__ == "__main__":
    run(main)
