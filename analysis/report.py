"""`python -m analysis.report`: everything that the results say, as one self-contained HTML page."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from analysis import cost, detectors, sections
from analysis.building import mark_ties
from analysis.claims import evaluate_claims
from analysis.compare import listings
from analysis.comparison import ComparedNumber, compared
from analysis.evidence import evidence
from analysis.feeding import Feed, feed
from analysis.figures import FIGURES
from analysis.formats import TEMPLATES
from analysis.options import existing, parser, run
from analysis.plots.style import styled, svg
from analysis.tables import all_tables
from analysis.ties import contrasts
from noisebench.html import render
from noisebench.store.summaries import all_failures, block_hours, block_progress, doubts, overview

# Each is a template of its own, shown under its name.
SECTIONS = ("progress", "tables", "figures", "comparison", "claims", "detectors", "failures", "cost")


def page(source: Feed, now: datetime) -> str:
    """Return the page of a results folder; `now` is printed as the time it was made."""
    tables = all_tables(source)
    for table in tables:
        mark_ties(table, [each.config_id for each in contrasts(source, table) if each.tied])
    rows = compared(source)
    data = evidence(source, tables, rows)
    store = source.store
    sweeps = ", ".join(sorted({sweep for sweep, _ in source.blocks})) or "no sweep yet"
    return render(
        TEMPLATES / "report.html",
        sections=SECTIONS,
        subtitle=f"{sweeps}; made {now:%Y-%m-%d %H:%M} UTC",
        evidence=data,
        progress=sections.progress(overview(store), block_progress(store), block_hours(store)),
        tables=sections.tables(tables),
        figures=sections.figures(*_figures(source)),
        comparison=_comparison(rows, data),
        claims=sections.claims(evaluate_claims(source)),
        detectors=sections.detectors(detectors.listings(source)),
        failures=sections.failures(all_failures(store), doubts(store)),
        cost=cost.listings(store),
    )


def main(arguments: list[str]) -> int:
    """Write report.html; return the exit code."""
    chosen = parser("report", __doc__).parse_args(arguments)
    text = page(feed(existing(chosen.results), chosen.sweep), datetime.now(UTC))
    chosen.out.mkdir(parents=True, exist_ok=True)
    path = chosen.out / "report.html"
    path.write_text(text, encoding="utf-8")
    print(f"{path}: {len(text) / 1e6:.1f} MB", file=sys.stderr)
    return 0


def _figures(source: Feed) -> tuple[dict[str, tuple[str, bytes]], list[str]]:
    """Return each figure's title and SVG by its name, then the messages of those without data."""
    drawn, absent = {}, []
    for item in FIGURES:
        with styled():
            figure = item.draw(source)
            if figure is None:
                absent.append(item.absence)
            else:
                drawn[item.name] = item.title, svg(figure)
    return drawn, absent


def _comparison(rows: Sequence[ComparedNumber], data: dict[str, Any]) -> Mapping[str, Any] | None:
    links = [_link(row, data) for row in rows]
    counts, cells = listings(rows)
    shown = [link or None for row, link in zip(rows, links, strict=True) if row.mean is not None]
    return sections.comparison(rows, links, [counts, replace(cells, links=shown)])


def _link(row: ComparedNumber, data: dict[str, Any]) -> str:
    """Return the link to the cell that a published number was compared with, "" without one."""
    table = data["tables"].get(row.source)
    if table is None or row.config_id is None:
        return ""
    return f"#cell/{row.source}/{row.config_id}"


if __name__ == "__main__":
    run(main)
