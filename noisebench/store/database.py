"""The DuckDB file that a results folder's journal is read into."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import duckdb

from noisebench.records.durable import remove_leftovers, write_durably
from noisebench.store import statements

# In the order in which they need each other.
VIEWS = (
    "trials",
    "runs",
    "block_runs",
    "trial_states",
    "cells",
    "block_cells",
    "best_cells",
    "ranked_cells",
    "disagreements",
)
_SCHEMA = ("tables", *(f"views/{view}" for view in VIEWS))

# No extension is ever fetched, no variable of the calling Python is ever read as a table.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}

# How often a snapshot that another one overtook is built again. The last is published regardless: how far
# files were read stands in the same snapshot, so the next ingestion takes in again what was overwritten.
_TRIES = 4

# A file being published grows all the while: one untouched for so long has lost its writer.
_STALE_SECONDS = 3_600

Outcome = TypeVar("Outcome")
Stamp = tuple[int, int, int]


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make all tables and views of an empty database."""
    connection.execute(statements.statement("tables"))
    for view in VIEWS:
        connection.execute(statements.statement(f"views/{view}"))
        comment = statements.description(f"views/{view}").replace("'", "''")
        connection.execute(f"COMMENT ON VIEW {view} IS '{comment}'")
    connection.execute("INSERT INTO store VALUES (?, NULL)", [_fingerprint()])


@contextmanager
def writer(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database that no other process knows of, for writing; on leaving, all is in its one file."""
    connection = duckdb.connect(path, config=_CONFIG)
    try:
        # One transaction: a commit each for every file and batch would cost more than what they write.
        connection.execute("BEGIN")
        yield connection
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")
    finally:
        connection.close()


@contextmanager
def reader(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a published snapshot, shut in: it can write nothing, reach no other file, load or set nothing.

    Raises duckdb.Error where the file is damaged or no DuckDB file.
    """
    # Attached, not connected to: connections of one process to one path share what they first opened,
    # and would go on showing a snapshot that has since been replaced.
    connection = duckdb.connect(":memory:", config=_CONFIG)
    try:
        quoted = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS snapshot (READ_ONLY)")
        connection.execute("USE snapshot")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


def is_current(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the database was made with the tables and views of this version of the package."""
    return connection.execute("SELECT fingerprint FROM store").fetchone() == (_fingerprint(),)


def replace(target: Path, build: Callable[[Path], Outcome]) -> Outcome:
    """Publish at `target` the database that `build` makes at the path it is given; return what it returned.

    Readers see the old file or the new one. Two at once end in a valid database: one that was overtaken
    builds again on what the other published. Raises OSError where `target` can't be written.
    """
    with tempfile.TemporaryDirectory(prefix="noisebench-") as folder:
        for number in range(_TRIES):
            before = stamp(target)
            local = Path(folder) / f"{number}.duckdb"
            outcome = build(local)
            if stamp(target) == before:
                break
        write_durably(target, local.read_bytes())
        remove_leftovers(target, _STALE_SECONDS)
    return outcome


def stamp(path: Path) -> Stamp | None:
    """Return what tells a published file from the next: inode, size, modification time."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _fingerprint() -> str:
    return statements.fingerprint(*_SCHEMA)
