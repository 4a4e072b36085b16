"""`python -m analysis.tables`: the papers' tables in Markdown, LaTeX, HTML and CSV."""

import sys
from pathlib import Path

from analysis.building import mark_ties, other_tables, paper_table
from analysis.escaping import file_name
from analysis.feeding import Feed, feed
from analysis.formats import FORMATS
from analysis.grid import Table
from analysis.items import TABLES
from analysis.options import existing, parser, run
from analysis.ties import contrasts, listing


def all_tables(source: Feed) -> list[Table]:
    """Return the papers' tables, then those of every other block that has results."""
    return [paper_table(source, item) for item in TABLES] + other_tables(source)


def write_contrasts(source: Feed, tables: list[Table], out: Path) -> None:
    """Mark the cells that are tied with the best of their row; write the paired tests beside each table."""
    out.mkdir(parents=True, exist_ok=True)
    for table in tables:
        every_contrast = contrasts(source, table)
        mark_ties(table, [contrast.config_id for contrast in every_contrast if contrast.tied])
        (out / f"{file_name(table.name)}-contrasts.md").write_text(
            listing(table, every_contrast).markdown(), encoding="utf-8"
        )


def write_tables(tables: list[Table], out: Path) -> None:
    """Write every table in every format below `out`, one file each."""
    out.mkdir(parents=True, exist_ok=True)
    for table in tables:
        for ending, render in FORMATS.items():
            (out / f"{file_name(table.name)}.{ending}").write_text(render(table), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Write the tables; return the exit code."""
    options = parser("tables", __doc__)
    options.add_argument(
        "--tied", action="store_true", help="mark cells that are statistically tied with the best"
    )
    chosen = options.parse_args(arguments)
    source = feed(existing(chosen.results), chosen.sweep)
    tables = all_tables(source)
    if chosen.tied:
        write_contrasts(source, tables, chosen.out)
    write_tables(tables, chosen.out)
    for table in tables:
        state = f"{table.missing} cells missing" if table.missing else "complete"
        print(f"{chosen.out / file_name(table.name)}: {state}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    run(main)
