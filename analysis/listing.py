"""Plain tables of words and numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.escaping import markdown_text


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
        rows = [[markdown_text(cell) for cell in row] for row in self.rows]
        lines = [self.heads, ["---"] * len(self.heads), *rows]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return "\n\n".join([f"### {markdown_text(self.title)}", table, *self.notes]) + "\n"

    @property
    def numeric_columns(self) -> list[bool]:
        """Whether each column holds numbers and missing values alone."""
        if not self.rows:
            return [False] * len(self.heads)
        return [all(map(_is_number, column)) for column in zip(*self.rows, strict=True)]


def _is_number(text: str) -> bool:
    return re.match(r"[+-]?\d|–|$", text) is not None
