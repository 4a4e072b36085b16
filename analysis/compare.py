"""`python -m analysis.compare`: our cells beside the published ones, with a verdict for each."""

import csv
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from analysis.comparison import SILENT, TOLERANCE, VERDICTS, ComparedNumber, compared, exit_code
from analysis.feeding import feed
from analysis.items import BLOCK_SPECS, SOURCE_BLOCKS
from analysis.listing import Listing
from analysis.options import existing, parser, run

_NOTES = (
    "Margin: half the published gap between CE and the better of BL and PZ in that row. Equivalent: the 90% "
    "interval of the difference lies inside it (two one-sided t-tests).",
    "Also accepts: losses whose published mean lies within the bound of this cell; the verdict cannot "
    "tell them apart.",
    "Recipe: what differs from the data set's recipe; reference is eager fp32, fast is what the device has.",
)


@dataclass(frozen=True)
class SourceCounts:
    """How many cells a source of published numbers has, by verdict.

    `also_accepts` counts the reproduced ones that would pass as another loss too. `best` are the cells with a
    best over our grid.
    """

    source: str
    cells: int
    verdicts: Mapping[str, int]
    equivalent: int
    different: int
    also_accepts: int
    best: int
    best_reproduced: int
    parameter_agrees: int

    def columns(self) -> dict[str, str | int]:
        """Return the values under the heads that they are printed with."""
        return {
            "source": self.source,
            "cells": self.cells,
            **self.verdicts,
            "equivalent": self.equivalent,
            "different": self.different,
            "also accepts another": self.also_accepts,
            "best over grid": self.best,
            "best reproduced": self.best_reproduced,
            "parameter agrees": self.parameter_agrees,
        }


def summary(rows: Sequence[ComparedNumber]) -> list[SourceCounts]:
    """Return the counts of each source, in the order of the sources."""
    return [
        _counts(source, [row for row in rows if row.source == source])
        for source in dict.fromkeys(row.source for row in rows)
    ]


def _counts(source: str, cells: Sequence[ComparedNumber]) -> SourceCounts:
    verdicts = Counter(row.verdict for row in cells)
    best = [row for row in cells if row.best_verdict is not None]
    return SourceCounts(
        source=source,
        cells=len(cells),
        verdicts={verdict: verdicts[verdict] for verdict in VERDICTS},
        equivalent=sum(row.equivalence == "equivalent" for row in cells),
        different=sum(row.equivalence == "different" for row in cells),
        also_accepts=sum(bool(row.also_accepts) for row in cells if row.verdict == "reproduced"),
        best=len(best),
        best_reproduced=sum(row.best_verdict == "reproduced" for row in best),
        parameter_agrees=sum(bool(row.parameter_agrees) for row in best),
    )


def conclusion(rows: Sequence[ComparedNumber]) -> str:
    """Return the result of the comparison in one line."""
    counts = Counter(row.verdict for row in rows if row.verdict not in SILENT)
    if not counts:
        return "nothing to compare: no published cell has results"
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    return f"{counts.total()} of {len(rows)} published cells have results: {verdicts}"


def listings(rows: Sequence[ComparedNumber]) -> tuple[Listing, Listing]:
    """Return the summary, then every cell that has results."""
    counts = [each.columns() for each in summary(rows)]
    missing = dict.fromkeys(row.source for row in rows if row.verdict == "missing")
    notes = [
        f"{source}: missing cells are made by noisebench run sweeps/{BLOCK_SPECS[SOURCE_BLOCKS[source]]}."
        for source in missing
    ]
    lines = [[str(value) for value in columns.values()] for columns in counts]
    heads = ["source", "data set", "eta", "loss", "metric", "published", "ours", "difference", "/ s.e."]
    heads += ["verdict", "margin", "equivalence", "also accepts", "precision", "recipe"]
    heads += ["our best", "at", "verdict of best"]
    cells = [cell_line(row) for row in rows if row.mean is not None]
    return (
        Listing("comparison", "Comparison with the published numbers", list(counts[0]), lines, notes),
        Listing("comparison-cells", "Published cells that have results", heads, cells, _NOTES),
    )


def main(arguments: list[str]) -> int:
    """Print the comparison; return the exit code."""
    options = parser("compare", __doc__, out=False)
    options.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help="added to 2 s; default: %(default)s"
    )
    options.add_argument("--json", action="store_true", help="print every cell as JSON")
    options.add_argument("--out", type=Path, help="folder to write comparison.md and comparison.csv to")
    options.add_argument("--exit-zero", action="store_true", help="exit 0 whatever the verdicts are")
    chosen = options.parse_args(arguments)
    rows = compared(feed(existing(chosen.results), chosen.sweep), chosen.tolerance)
    code = exit_code(rows)
    if chosen.out is not None:
        _write(rows, chosen.out)
    if chosen.json:
        counts = [each.columns() for each in summary(rows)]
        print(json.dumps({"exit_code": code, "summary": counts, "cells": [asdict(row) for row in rows]}))
    else:
        print(_markdown(rows), end="")
    for row in rows:
        if row.verdict in ("higher", "lower"):
            print(f"not reproduced: {' '.join(cell_line(row)[:10])}", file=sys.stderr)
    print(conclusion(rows), file=sys.stderr)
    return 0 if chosen.exit_zero else code


def cell_line(row: ComparedNumber) -> list[str]:
    """Return the columns of a measured cell as text, in the order of the second listing."""
    assert row.mean is not None
    assert row.difference is not None
    digits = row.decimals
    loss = row.loss if row.value is None else f"{row.loss} {row.parameter}={row.value:g}"
    eta = "" if row.eta is None else f"{row.eta:g}"
    errors = "" if row.standard_errors is None else f"{round(row.standard_errors, 1) + 0.0:+.1f}"
    line = [row.source, row.dataset, eta, loss, row.metric]
    line += [number(row.published_mean, row.published_std, digits)]
    line += [number(row.mean, row.std, digits) + f" (n={row.n})"]
    line += [f"{round(row.difference, digits + 1) + 0.0:+.{digits + 1}f}", errors, row.verdict]
    line += ["" if row.margin is None else f"{row.margin:.{digits + 1}f}", row.equivalence or ""]
    line += [", ".join(row.also_accepts), row.precision or "", row.recipe or ""]
    if row.best_mean is None:
        return [*line, "", "", ""]
    best = number(row.best_mean, row.best_std, digits)
    at = f"{row.parameter}={row.best_value:g}, delay={row.best_delay}"
    return [*line, best, "the same" if row.parameter_agrees else at, row.best_verdict or ""]


def number(mean: float, std: float | None, digits: int) -> str:
    """Return "0.979 ± 0.002", or the mean alone."""
    return f"{mean:.{digits}f}" + ("" if std is None else f" ± {std:.{digits}f}")


def _markdown(rows: Sequence[ComparedNumber]) -> str:
    return "\n".join(listing.markdown() for listing in listings(rows))


def _write(rows: Sequence[ComparedNumber], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "comparison.md").write_text(_markdown(rows), encoding="utf-8")
    with (out / "comparison.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(ComparedNumber)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


if __name__ == "__main__":
    run(main)
