"""The tables and views that a query can read."""

from dataclasses import dataclass

from noisebench.records.folders import ResultsFolder
from noisebench.store.reading import rows


@dataclass(frozen=True)
class Column:
    """A column with its DuckDB type; `comment` is None where the name says it all."""

    name: str
    type: str
    comment: str | None


@dataclass(frozen=True)
class Relation:
    """A table or a view with what one row of it is."""

    name: str
    comment: str
    is_table: bool
    columns: tuple[Column, ...]


def schema(results: ResultsFolder) -> list[Relation]:
    """Return what a query can read: views first, then tables, each by name."""
    return [
        Relation(**{**row, "columns": tuple(Column(**column) for column in row["columns"])})
        for row in rows(results, "schema", {})
    ]
