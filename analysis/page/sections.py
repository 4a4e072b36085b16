"""The sections of a page, each as HTML."""

import base64
import html
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from analysis.claims import Claim
from analysis.formats import html_table
from analysis.grid import Table
from analysis.listing import Listing, verdict

Plain = Mapping[str, Any]


def summary(overview: Plain) -> str:
    """Return the figures that a reader wants first."""
    done = f"{overview['completed']:,} of {overview['trials']:,}"
    tiles = {
        "trials completed": done,
        "failed": f"{overview['failed']:,}",
        "GPU-hours": f"{overview['gpu_hours']:,.1f}",
        "CPU-thread hours": f"{overview['cpu_thread_hours']:,.1f}",
        "hardware": ", ".join(overview["hardware"]) or "none yet",
        "commits": ", ".join(commit[:12] for commit in overview["commits"]) or "none yet",
        "first start": _moment(overview["first_start"]),
        "last end": _moment(overview["last_end"]),
    }
    shown = "".join(f"<div><dt>{name}</dt><dd>{html.escape(text)}</dd></div>" for name, text in tiles.items())
    return f'<dl class="tiles">{shown}</dl>'


def progress(blocks: Sequence[Plain], hours: Sequence[Plain]) -> str:
    """Return how far each block of each sweep is."""
    spent = {(row["sweep"], row["block"]): row for row in hours}
    counted = ("completed", "trials", "failed", "started", "pending", "GPU-hours", "CPU-thread hours")
    lines = []
    for row in blocks:
        cost = spent[row["sweep"], row["block"]]
        share, failed = row["completed"] / row["trials"], row["failed"] / row["trials"]
        bar = (
            f'<td data-value="{share}"><span class="bar" role="img" aria-label="{share:.0%} completed">'
            f'<i style="width:{share:.2%}"></i><b style="width:{failed:.2%}"></b></span> {share:.0%}</td>'
        )
        numbers = [f"{row[name]:,}" for name in ("completed", "trials", "failed", "started", "pending")]
        numbers += [f"{cost[name]:,.2f}" for name in ("gpu_hours", "cpu_thread_hours")]
        counts = "".join(f'<td class="number">{number}</td>' for number in numbers)
        named = f'<th scope="row">{html.escape(row["sweep"])}</th><td>{html.escape(row["block"])}</td>'
        lines.append(f"<tr>{named}{bar}{counts}</tr>")
    head = "".join(f'<th scope="col">{name}</th>' for name in ("sweep", "block", "progress"))
    head += "".join(f'<th scope="col" class="number">{name}</th>' for name in counted)
    body = "\n".join(lines)
    return scrolled(
        '<table id="progress-table" class="sortable"><caption>Trials of each block; one may be in several. '
        "Started: no end is recorded, so it runs or its process died.</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"
    )


def tables(found: Sequence[Table], sql: Mapping[str, str]) -> str:
    """Return every table that has a cell, with its SQL; of the others, how to make them."""
    made = [table for table in found if any(cell.n for _, _, cell in table.cells())]
    parts = [
        f'<section class="item" id="{html.escape(table.name)}-section"><h3>{html.escape(table.title)}</h3>'
        f"{scrolled(html_table(table))}"
        f"{code(f'Its SQL, over block {table.block} of sweep {table.sweep}', sql[table.name])}</section>"
        for table in made
    ]
    absent = [f"{table.title}: noisebench run sweeps/{table.spec}" for table in found if table not in made]
    return "\n".join(parts) + _absent("No results yet", absent)


def figures(drawn: Mapping[str, tuple[str, bytes]], absent: Sequence[str]) -> str:
    """Return each figure (title, SVG) by its name; of the others, how to make them."""
    parts = []
    for name, (title, svg) in drawn.items():
        # As pictures of their own: shapes of several drawings on one page would share their names.
        data = base64.b64encode(svg).decode()
        picture = f'<img src="data:image/svg+xml;base64,{data}" alt="{html.escape(title)}">'
        parts.append(
            f'<figure id="{name}"><figcaption>{html.escape(title)}</figcaption><div>{picture}</div></figure>'
        )
    return f'<div class="figures">{"".join(parts)}</div>' + _absent("No results yet", absent)


def comparison(rows: Sequence[Plain], cells: Sequence[str], listings: Sequence[Listing]) -> str:
    """Return every published number as a square, then `listings`; `cells` are what each row leads to."""
    if all(row["verdict"] == "missing" for row in rows):
        return "<p>No published cell has results yet.</p>"
    parts = ['<dl class="squares">']
    for origin in dict.fromkeys(row["source"] for row in rows):
        own = [_square(row, cell) for row, cell in zip(rows, cells, strict=True) if row["source"] == origin]
        parts.append(f"<dt>{html.escape(origin)}</dt><dd>{''.join(own)}</dd>")
    return "".join(parts) + "</dl>" + "\n".join(listing(each) for each in listings)


def claims(found: Sequence[Claim]) -> str:
    """Return each claim with its verdict; its parts unfold."""
    parts = []
    for claim in found:
        rows = [
            [
                part.name,
                str(part.pairs),
                f"{part.mean:+.4f}",
                f"[{part.low:+.4f}, {part.high:+.4f}]",
                f"{part.p:.2g}",
                part.verdict,
            ]
            for part in claim.parts
        ]
        heads = ["part", "pairs", "mean difference", "95% interval", "p (Holm)", "verdict"]
        inside = listing(Listing(f"claim-{claim.name}", "", heads, rows)) if rows else "<p>No data yet.</p>"
        parts.append(
            f'<details class="claim"><summary>{verdict(claim.verdict)} {html.escape(claim.text)}</summary>'
            f"{inside}</details>"
        )
    return "\n".join(parts)


def failures(found: Sequence[Plain], doubts: Sequence[Plain]) -> str:
    """Return what failed, by error, then what casts doubt on numbers."""
    if not found and not doubts:
        return "<p>No trial failed, and nothing casts doubt on a number.</p>"
    parts = [
        f"<details><summary><b>{row['trials']:,}</b> in {html.escape(row['sweep'])}: "
        f"{html.escape(row['error_kind'] or 'unknown')}: {html.escape(_first_line(row['error']))}</summary>"
        f"<p>For instance: <code>noisebench show {row['example']}</code></p>"
        f"<pre>{html.escape(row['traceback'] or row['error'] or '')}</pre></details>"
        for row in found
    ]
    if doubts:
        rows = [[row["what"], str(row["times"]), row["example"]] for row in doubts]
        parts.append(listing(Listing("doubts", "What casts doubt", ["what", "times", "example"], rows)))
    return "\n".join(parts)


def listing(found: Listing) -> str:
    """Return a plain table in a frame that scrolls."""
    return scrolled(found.html())


def code(title: str, text: str) -> str:
    """Return SQL that unfolds."""
    return f'<details class="sql"><summary>{title}</summary><pre>{html.escape(text)}</pre></details>'


def scrolled(table: str) -> str:
    """Return a table in a frame of its own, so that a wide one leaves the page as it is."""
    return f'<div class="frame" role="region" aria-label="Table" tabindex="0">{table}</div>'


def _square(row: Plain, cell: str) -> str:
    eta = "" if row["eta"] is None else f" {row['eta']:g}"
    digits = row["decimals"]
    ours = "" if row["mean"] is None else f", ours {row['mean']:.{digits}f}"
    text = f"{row['dataset']}{eta} {row['loss']}: {row['published_mean']:.{digits}f}{ours}: {row['verdict']}"
    named = f'title="{html.escape(text)}" aria-label="{html.escape(text)}" data-verdict="{row["verdict"]}"'
    return f'<a href="{cell}" {named}></a>' if cell else f'<span role="img" {named}></span>'


def _absent(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f'<div class="absent"><p>{title}:</p><ul>{items}</ul></div>'


def _first_line(text: str | None) -> str:
    return (text or "no message").partition("\n")[0]


def _moment(at: datetime | None) -> str:
    return "–" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"
