"""SQL asked of a results folder, and what there is to ask: tables, views and queries with names."""

from dataclasses import dataclass
from typing import Any

from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder
from noisebench.store.statements import SQL
from noisebench.store.store import Answer, Store, open_store


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


def query(results: ResultsFolder, sql: str, parameters: dict[str, Any] | None = None) -> Answer:
    """Answer one query over a results folder as it is now; see `Store.query`."""
    with open_store(results) as store:
        return store.query(sql, parameters)


def named_queries() -> dict[str, str]:
    """Return the names of the queries that come with noisebench, each with what it answers."""
    return {name: SQL.description(f"queries/{name}") for name in SQL.names("queries")}


def named(name: str) -> str:
    """Return the SQL of a named query; raises InputError with the known names where there is none."""
    known = SQL.names("queries")
    if name not in known:
        raise InputError(f"no query is named {name!r}; known: {', '.join(known)}")
    return SQL.text(f"queries/{name}")


def schema(store: Store) -> list[Relation]:
    """Return what a query can read: views first, then tables, each by name."""
    return [
        Relation(**{**row, "columns": tuple(Column(**column) for column in row["columns"])})
        for row in store.rows("summaries/schema")
    ]
