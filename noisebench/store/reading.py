"""A results folder opened for reading."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from noisebench.errors import EnvironmentFault
from noisebench.records.folders import ResultsFolder
from noisebench.store import database, statements
from noisebench.store.ingest import ingest


@dataclass(frozen=True)
class Snapshot:
    """An open snapshot; `age_seconds` is how old it is where it could not be refreshed, else None."""

    connection: duckdb.DuckDBPyConnection
    age_seconds: float | None


@contextmanager
def reading(results: ResultsFolder) -> Iterator[Snapshot]:
    """Take in what the journal has gained, then open the snapshot, shut in.

    Raises InputError where there is no results folder, EnvironmentFault where there is no readable snapshot.
    """
    report = ingest(results)
    try:
        age = None if report.published else time.time() - results.database.stat().st_mtime
        with database.reader(results.database) as connection:
            yield Snapshot(connection, age)
    except FileNotFoundError:
        why = f"no database yet, and none can be made: {report.unpublished}"
        raise EnvironmentFault(f"{results.database}: {why}") from None
    except duckdb.Error as error:
        if not is_damage(error):
            raise
        raise EnvironmentFault(
            f"{results.database} can't be read ({error}); make it anew with `noisebench ingest --rebuild`"
        ) from error


def is_damage(error: duckdb.Error) -> bool:
    """Whether an error tells of the file rather than of the SQL; a wrong checksum has no class of its own."""
    classes = (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException)
    return isinstance(error, classes) or type(error) is duckdb.Error


def rows(results: ResultsFolder, name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows, as dicts, of the SQL text `name` with its named parameters."""
    with reading(results) as snapshot:
        cursor = snapshot.connection.execute(statements.statement(name), parameters)
        columns = [column for column, *_ in cursor.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
