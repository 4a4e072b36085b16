"""Plain tables of words and numbers."""

import html
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Listing:
    """Rows under heads; `name` is its anchor in a page, `notes` stand below it."""

    name: str
    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """Return the listing as GitHub Markdown."""
        lines = [self.heads, ["---"] * len(self.heads), *self.rows]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return "\n\n".join([f"### {self.title}", table, *self.notes]) + "\n"

    def html(self) -> str:
        """Return the listing as an HTML table."""
        heads = "".join(f"<th>{html.escape(head)}</th>" for head in self.heads)
        rows = (
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows
        )
        notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in self.notes)
        caption = f"<caption>{html.escape(self.title)}</caption>"
        body = "\n".join(rows)
        return (
            f'<table id="{html.escape(self.name)}">{caption}<thead><tr>{heads}</tr></thead>'
            f"<tbody>\n{body}\n</tbody></table>\n{notes}"
        )
