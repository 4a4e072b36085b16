"""Plain tables of words and numbers."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Listing:
    """Rows under heads; `name` is its anchor in a page, `notes` stand below it.

    `links` are what the first cell of each row leads to in a page.
    """

    name: str
    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    links: Sequence[str | None] = ()

    def markdown(self) -> str:
        """Return the listing as GitHub Markdown."""
        lines = [self.heads, ["---"] * len(self.heads), *self.rows]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return "\n\n".join([f"### {self.title}", table, *self.notes]) + "\n"

    def html(self) -> str:
        """Return the listing as an HTML table."""
        numeric = [all(map(_is_number, column)) for column in zip(*self.rows, strict=True)] or [False] * len(
            self.heads
        )
        heads = "".join(
            f'<th scope="col"{_aligned(number)}>{html.escape(head)}</th>'
            for head, number in zip(self.heads, numeric, strict=True)
        )
        links = self.links or [None] * len(self.rows)
        rows = (self._html_row(row, link, numeric) for row, link in zip(self.rows, links, strict=True))
        notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in self.notes)
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        body = "\n".join(rows)
        return (
            f'<table id="{html.escape(self.name)}" class="sortable">{caption}<thead><tr>{heads}</tr></thead>'
            f"<tbody>\n{body}\n</tbody></table>\n{notes}"
        )

    def _html_row(self, row: Sequence[str], link: str | None, numeric: Sequence[bool]) -> str:
        cells = [
            verdict(cell) if head.startswith("verdict") and cell else html.escape(cell)
            for head, cell in zip(self.heads, row, strict=True)
        ]
        if link is not None:
            cells[0] = f'<a href="{html.escape(link)}">{cells[0]}</a>'
        aligned = map(_aligned, numeric)
        return (
            "<tr>"
            + "".join(f"<td{at}>{cell}</td>" for cell, at in zip(cells, aligned, strict=True))
            + "</tr>"
        )


def verdict(text: str) -> str:
    """Return a verdict as an HTML word that a style sheet can colour."""
    return f'<span class="verdict" data-verdict="{html.escape(text)}">{html.escape(text)}</span>'


def _is_number(text: str) -> bool:
    return re.match(r"[+-]?\d|–|$", text) is not None


def _aligned(number: bool) -> str:
    return ' class="number"' if number else ""
