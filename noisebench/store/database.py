"""The DuckDB file that a results folder's journal is read into."""

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import duckdb

from noisebench.records.durable import remove_leftovers, write_durably
from noisebench.store.statements import SQL

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
# What a database is made of, and what is done with lines: a change in either makes another database.
_MADE_WITH = (
    "tables",
    *(f"views/{view}" for view in VIEWS),
    *(f"merge/{name}" for name in ("trials", "attempts", "results", "forget")),
)

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
_BUILD_PREFIX = "noisebench-ingest-"

Outcome = TypeVar("Outcome")
Stamp = tuple[int, int, int]


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make all tables and views of an empty database."""
    connection.execute(SQL.text("tables"))
    # A view cannot ask a table which columns it has: it asks a macro with the names of the metrics.
    (names,) = connection.execute("SELECT list(name) FROM metrics").fetchone() or ([],)
    connection.execute(f"CREATE MACRO is_metric(name) AS list_contains({names}, name)")
    for view in VIEWS:
        connection.execute(SQL.text(f"views/{view}"))
        comment = SQL.description(f"views/{view}").replace("'", "''")
        connection.execute(f"COMMENT ON VIEW {view} IS '{comment}'")
    connection.execute("INSERT INTO store VALUES (?)", [_fingerprint()])


@contextmanager
def writer(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database that no other process knows of, for writing; on leaving, all is in its one file.

    Another user may have written it, so it can access no other file and load no extension.
    """
    connection = duckdb.connect(path, config=_CONFIG)
    try:
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        # One transaction: a commit each for every file and batch would cost more than what they write.
        connection.execute("BEGIN")
        yield connection
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")
    finally:
        connection.close()


@contextmanager
def reader(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a published snapshot read-only: its SQL can access no file, load no extension, change no setting.

    Raises duckdb.Error where the file is damaged or no DuckDB file.
    """
    if path.exists() and not path.is_file():  # opening a pipe would wait for a writer
        raise duckdb.IOException(f"{path} is no regular file")
    # Attached, not connected to: connections of one process to one path share what they first opened,
    # and would go on showing a snapshot that has since been replaced.
    connection = duckdb.connect(":memory:", config=_CONFIG)
    try:
        quoted = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS snapshot (READ_ONLY)")
        connection.execute("USE snapshot")
        # Nothing is spilled to disk: the default folder for it is in the working directory.
        connection.execute("SET temp_directory = ''")
        connection.execute("SET enable_external_access = false")
        # The snapshot and its write-ahead log stay on DuckDB's list of files that may be written.
        connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


def is_current(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the database was made with the tables and views of this version of the package."""
    return connection.execute("SELECT fingerprint FROM store").fetchone() == (_fingerprint(),)


def replace(target: Path, build: Callable[[Path], Outcome]) -> Outcome:
    """Publish at `target` the database that `build` makes at the path it is given; return what it returned.

    Readers see the old file or the new one. Two at once end in a valid database: one that was overtaken, even
    while its file was on its way to the disk, builds again on what the other published. Raises OSError where
    `target` can't be written.
    """
    _remove_abandoned_builds()
    with tempfile.TemporaryDirectory(prefix=_BUILD_PREFIX) as folder:
        for number in range(_TRIES):
            before = stamp(target)
            local = Path(folder) / f"{number}.duckdb"
            outcome = build(local)
            overtaken = partial(_is_overtaken, target, before, number)
            if write_durably(target, local.read_bytes(), overtaken):
                break
        remove_log(target)
        remove_leftovers(target, _STALE_SECONDS)
    return outcome


def _is_overtaken(target: Path, before: Stamp | None, number: int) -> bool:
    return number < _TRIES - 1 and stamp(target) != before


def aside(path: Path) -> Path:
    """Return where another version keeps what this version has published at `path`."""
    return _aside(path, _fingerprint())


def set_aside(path: Path) -> None:
    """Keep a database of another version beside the one that replaces it: that version can go on from there.

    At most one is kept for another version, so that two versions can work on one folder.
    """
    with contextlib.suppress(OSError, duckdb.Error):  # the other version builds it again
        with reader(path) as connection:
            (fingerprint,) = connection.execute("SELECT fingerprint FROM store").fetchone() or ("",)
        if not re.fullmatch("[0-9a-f]{16}", fingerprint):
            return
        kept = _aside(path, fingerprint)
        for other in path.parent.glob(_aside(path, "*").name):
            if other != aside(path):
                other.unlink()
        kept.hardlink_to(path)


def _aside(path: Path, fingerprint: str) -> Path:
    return path.with_name(f".{path.stem}-{fingerprint}{path.suffix}")


def remove_log(path: Path) -> None:
    """Remove a write-ahead log beside a published database: none of ours has one, so it is another's."""
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)


def has_log(path: Path) -> bool:
    """Whether somebody's write-ahead log would change what readers see."""
    return path.with_name(f"{path.name}.wal").exists()


def _remove_abandoned_builds() -> None:
    """Remove the temporary folders of this user's builds that were killed: untouched for an hour."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_BUILD_PREFIX}*"):
        with contextlib.suppress(OSError):  # another process was here first
            newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            if folder.stat().st_uid == os.getuid() and time.time() - newest > _STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def stamp(path: Path) -> Stamp | None:
    """Return what identifies one published version of a file: inode, size, modification time."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def is_full(error: duckdb.Error) -> bool:
    """Whether an error means a full or failing disk, not a fault of the data."""
    if isinstance(error, duckdb.TransactionException):
        return "Failed to commit" in str(error)
    return isinstance(error, duckdb.IOException | duckdb.FatalException)


def _fingerprint() -> str:
    return SQL.fingerprint(*_MADE_WITH)
