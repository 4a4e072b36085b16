"""A results folder opened for reading: one state for as long as it is open."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import duckdb
import pyarrow as pa

from noisebench.errors import EnvironmentFault, InputError
from noisebench.records.folders import ResultsFolder
from noisebench.store import database
from noisebench.store.ingest import IngestReport, ingest
from noisebench.store.statements import SQL

RowType = TypeVar("RowType")
ReadType = TypeVar("ReadType")

_READS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)


class DamagedDatabaseError(EnvironmentFault):
    """Blocks of the database file are damaged; the journal has all that it held."""


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


class Store:
    """An open snapshot of a results folder; nothing that is recorded later shows in it.

    `report` is of the ingest that preceded its opening; `age_seconds` is how old the snapshot is where it
    could not be refreshed, else None.
    """

    def __init__(self, results: ResultsFolder, report: IngestReport) -> None:
        self.results = results
        self.report = report
        self._stack = ExitStack()
        try:
            self.age_seconds = None if report.published else time.time() - results.database.stat().st_mtime
            self._connection = self._stack.enter_context(database.reader(results.database))
        except FileNotFoundError:
            why = f"no database yet, and none can be made: {report.unpublished}"
            raise EnvironmentFault(f"{results.database}: {why}") from None
        except duckdb.Error as error:
            raise self._explained(error) from error

    def close(self) -> None:
        """Close the snapshot."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows, as dicts, of one of the package's own SQL texts with its named parameters."""
        return self.rows_of(SQL.text(name), parameters)

    def typed_rows(
        self, row_type: type[RowType], name: str, parameters: Mapping[str, Any] | None = None
    ) -> list[RowType]:
        """Return the same rows as values of a dataclass whose fields are the columns of the SQL."""
        return [row_type(**row) for row in self.rows(name, parameters)]

    def rows_of(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows of an SQL text as dicts."""
        try:
            cursor = self._connection.execute(sql, dict(parameters or {}))
            columns = [column for column, *_ in cursor.description or ()]
            return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
        except duckdb.Error as error:
            raise self._explained(error) from error

    def define(self, sql: str) -> None:
        """Run statements that create temporary macros or views; they are written nowhere."""
        self._connection.execute(sql)

    def add_table(self, name: str, table: pa.Table) -> None:
        """Let queries read `table` under this name; it is written nowhere."""
        self._connection.register(name, table)

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Answer:
        """Answer one SELECT (or EXPLAIN, DESCRIBE, SHOW, PIVOT) over tables and views.

        It can write nothing, reach no other file, load no extension, change no setting. Raises InputError
        with DuckDB's message, position included, where the SQL is wrong.
        """
        try:
            _check(self._connection.extract_statements(sql))
            return Answer(self._table(sql, parameters), self.age_seconds)
        except duckdb.Error as error:
            if is_damage(error):
                raise self._explained(error) from error
            raise InputError(str(error)) from error

    def _table(self, sql: str, parameters: Mapping[str, Any] | None) -> pa.Table:
        values = None if parameters is None else dict(parameters)
        try:
            return self._connection.sql(sql, params=values).to_arrow_table()
        except duckdb.Error:
            # A relation's errors lack the position in the text; those of a plain execution have it.
            self._connection.execute(sql, values)
            raise

    def _explained(self, error: duckdb.Error) -> Exception:
        if not is_damage(error):
            return error
        return DamagedDatabaseError(
            f"{self.results.database} can't be read ({error}); rebuild it with `noisebench ingest --rebuild`"
        )


def open_store(results: ResultsFolder) -> Store:
    """Take in what the journal has gained, then open the snapshot; a context manager.

    Raises InputError where there is no results folder, EnvironmentFault where there is no readable snapshot.
    """
    return Store(results, ingest(results))


def read_store(results: ResultsFolder, read: Callable[[Store], ReadType]) -> ReadType:
    """Return what `read` finds in the opened folder; where it meets damage, in a database made anew.

    DuckDB notices a damaged block when it reads it, so `read` can be called twice. Raises what `open_store`
    does, DamagedDatabaseError where no new database can be published.
    """
    try:
        with open_store(results) as store:
            return read(store)
    except DamagedDatabaseError:
        if not ingest(results, rebuild=True).published:
            raise
    with open_store(results) as store:
        return read(store)


def is_damage(error: duckdb.Error) -> bool:
    """Whether an error tells of the file rather than of the SQL; a wrong checksum has no class of its own."""
    classes = (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException)
    return isinstance(error, classes) or type(error) is duckdb.Error


def _check(parsed: list[duckdb.Statement]) -> None:
    if len(parsed) != 1:
        raise InputError(f"a query is one statement, here are {len(parsed)}")
    if parsed[0].type not in _READS:
        raise InputError(f"a query only reads: SELECT, not {parsed[0].type.name}")
