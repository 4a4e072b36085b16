"""SQL asked of a results folder."""

from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder
from noisebench.store import statements
from noisebench.store.reading import is_damage, reading

_READS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)


@dataclass(frozen=True)
class Answer:
    """What a query gave; `age_seconds` is the snapshot's age where it could not be refreshed, else None."""

    table: pa.Table
    age_seconds: float | None

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order."""
        return list(self.table.column_names)

    def rows(self) -> list[tuple[Any, ...]]:
        """The rows as Python values, in order."""
        return list(zip(*(column.to_pylist() for column in self.table.columns), strict=True))


def query(results: ResultsFolder, sql: str, parameters: dict[str, Any] | None = None) -> Answer:
    """Answer one SELECT (or EXPLAIN, DESCRIBE, SHOW, PIVOT) over the tables and views of a results folder.

    It can write nothing, reach no other file, load no extension, change no setting. Raises InputError with
    DuckDB's message, position included, where the SQL is wrong.
    """
    with reading(results) as snapshot:
        try:
            _check(snapshot.connection.extract_statements(sql))
            return Answer(_table(snapshot.connection, sql, parameters), snapshot.age_seconds)
        except duckdb.Error as error:
            if is_damage(error):
                raise
            raise InputError(str(error)) from error


def named_queries() -> dict[str, str]:
    """Return the names of the queries that come with noisebench, each with what it answers."""
    return {name: statements.description(f"queries/{name}") for name in statements.names("queries")}


def named(name: str) -> str:
    """Return the SQL of a named query; raises InputError with the known names where there is none."""
    known = statements.names("queries")
    if name not in known:
        raise InputError(f"no query is named {name!r}; known: {', '.join(known)}")
    return statements.statement(f"queries/{name}")


def _check(parsed: list[duckdb.Statement]) -> None:
    if len(parsed) != 1:
        raise InputError(f"a query is one statement, here are {len(parsed)}")
    if parsed[0].type not in _READS:
        raise InputError(f"a query only reads: SELECT, not {parsed[0].type.name}")


def _table(connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any] | None) -> pa.Table:
    try:
        return connection.sql(sql, params=parameters).to_arrow_table()
    except duckdb.Error:
        # A relation's errors lack the position in the text; those of a plain execution have it.
        connection.execute(sql, parameters)
        raise
