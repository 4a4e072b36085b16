"""What each section of the report shows, as values for its template."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from analysis.claims import Claim, claim_tests
from analysis.comparison import ComparedNumber
from analysis.formats import html_values
from analysis.grid import Table
from analysis.listing import Listing
from noisebench.store.summaries import BlockHours, BlockProgress, Doubt, Overview, SweepFailure

Plain = Mapping[str, Any]

_COUNTS = ("completed", "trials", "failed", "started", "pending")


def progress(overview: Overview, blocks: Sequence[BlockProgress], hours: Sequence[BlockHours]) -> Plain:
    """Return the totals, then the progress of each block of each sweep."""
    cost = {(row.sweep, row.block): row for row in hours}
    return {
        "summary": _summary(overview),
        "heads": [*_COUNTS, "GPU-hours", "CPU-thread hours"],
        "blocks": [_block(row, cost[row.sweep, row.block]) for row in blocks],
    }


def tables(every: Sequence[Table]) -> Plain:
    """Return every table that has a cell; for the others, the command that makes them."""
    shown = [table for table in every if any(cell.n for _, _, cell in table.cells())]
    absent = [f"{table.title}: noisebench run sweeps/{table.spec}" for table in every if table not in shown]
    return {"shown": [html_values(table) for table in shown], "absent": absent}


def figures(drawn: Mapping[str, tuple[str, bytes]], absent: Sequence[str]) -> Plain:
    """Return each figure, given as (title, SVG) by its name; for the others, how to make them."""
    shown = [
        {"name": name, "title": title, "base64": base64.b64encode(svg).decode()}
        for name, (title, svg) in drawn.items()
    ]
    return {"shown": shown, "absent": absent}


def comparison(
    rows: Sequence[ComparedNumber], links: Sequence[str], listings: Sequence[Listing]
) -> Plain | None:
    """Return every published number as a square, then `listings`; None where no cell has results.

    `links` are the addresses on the page that each row leads to, "" for none.
    """
    if all(row.verdict == "missing" for row in rows):
        return None
    squares: dict[str, list[Plain]] = {}
    for row, link in zip(rows, links, strict=True):
        square = {"text": _square_text(row), "verdict": row.verdict, "link": link}
        squares.setdefault(row.source, []).append(square)
    return {"squares": squares, "listings": listings}


def claims(every: Sequence[Claim]) -> list[Plain]:
    """Return each claim with its verdict and its tests."""
    return [
        {
            "text": claim.text,
            "verdict": claim.verdict,
            "summary": claim.summary,
            "tests": claim_tests(claim),
        }
        for claim in every
    ]


def detectors(listings: Sequence[Listing]) -> Plain:
    """Return the rankings of detectors; without any, the command that makes them."""
    absent = [] if listings else ["Detectors beside each other: noisebench run sweeps/detectors.yaml"]
    return {"listings": listings, "absent": absent}


def failures(groups: Sequence[SweepFailure], doubts: Sequence[Doubt]) -> Plain:
    """Return the failed trials by error, then the reasons to doubt a number."""
    rows = [[doubt.what, str(doubt.times), doubt.example] for doubt in doubts]
    return {
        "groups": [
            {
                "trials": f"{group.trials:,}",
                "sweep": group.sweep,
                "kind": group.error_kind or "unknown",
                "message": (group.error or "no message").partition("\n")[0],
                "example": group.example,
                "details": group.traceback or group.error or "",
            }
            for group in groups
        ],
        "doubts": Listing("doubts", "Reasons to doubt a number", ["what", "times", "example"], rows),
    }


def _summary(overview: Overview) -> dict[str, str]:
    return {
        "trials completed": f"{overview.completed:,} of {overview.trials:,}",
        "failed": f"{overview.failed:,}",
        "GPU-hours": f"{overview.gpu_hours:,.1f}",
        "CPU-thread hours": f"{overview.cpu_thread_hours:,.1f}",
        "hardware": ", ".join(overview.hardware) or "none yet",
        "commits": ", ".join(commit[:12] for commit in overview.commits) or "none yet",
        "first start": _moment(overview.first_start),
        "last end": _moment(overview.last_end),
    }


def _block(row: BlockProgress, cost: BlockHours) -> Plain:
    return {
        "sweep": row.sweep,
        "block": row.block,
        "completed": row.completed / row.trials,
        "failed": row.failed / row.trials,
        "numbers": [f"{getattr(row, name):,}" for name in _COUNTS]
        + [f"{cost.gpu_hours:,.2f}", f"{cost.cpu_thread_hours:,.2f}"],
    }


def _square_text(row: ComparedNumber) -> str:
    eta = "" if row.eta is None else f" {row.eta:g}"
    digits = row.decimals
    ours = "" if row.mean is None else f", ours {row.mean:.{digits}f}"
    return f"{row.dataset}{eta} {row.loss}: {row.published_mean:.{digits}f}{ours}: {row.verdict}"


def _moment(at: datetime | None) -> str:
    return "–" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"
