"""The journal taken into the database."""

import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import duckdb

from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder
from noisebench.store import database, lines
from noisebench.store.lines import Source, Taken
from noisebench.store.lost import lost_now, note_losses
from noisebench.store.staging import Skipped, Staging
from noisebench.store.statements import SQL

UNREADABLE = "the database could not be read"
_OTHER_VERSION = "the database was made by another version of noisebench"


@dataclass(frozen=True)
class IngestReport:
    """What an ingestion did.

    `files` gained `records`; `skipped` are lines that could not be read. `rewritten`: a new snapshot was
    made; `rebuilt`: why from the whole journal, None where not. `lost`: journal files that the database had
    read and that are gone or shorter. `published`: the database in the folder holds everything that the
    journal had; if not, `unpublished` says why.
    """

    files: int = 0
    records: int = 0
    skipped: tuple[Skipped, ...] = ()
    rewritten: bool = False
    rebuilt: str | None = None
    published: bool = True
    unpublished: str | None = None
    lost: tuple[str, ...] = ()


def ingest(results: ResultsFolder, rebuild: bool = False) -> IngestReport:
    """Add new lines of journal and manifests to the database; `rebuild` reads all of them again.

    The new snapshot is built aside, on local disk, then renamed over the old one: readers and other ingesters
    are neither blocked nor waited for. Where the folder cannot be written, the old snapshot stays. Raises
    InputError where there is no such folder.
    """
    if not results.root.is_dir():
        raise InputError(f"{results.root}: no such results folder; run a sweep first or name another")
    why, taken = read_so_far(results)
    if rebuild:
        why = "asked for"
    journals, unreadable = lines.journals(results, taken)
    manifests, others = lines.manifests(results, taken)
    skipped = tuple(Skipped(each.file, 0, each.why) for each in (*others, *unreadable))
    gained = journals or manifests or database.has_log(results.database)
    if why is None and results.database.exists() and not gained:
        return IngestReport(skipped=skipped)
    if not os.access(results.root, os.W_OK):
        unpublished = f"no permission to write in {results.root}"
        return IngestReport(skipped=skipped, published=False, unpublished=unpublished)
    losses = lost_now(results, taken) if why else {}
    try:
        note_losses(results, losses)
        database.remove_log(results.database)
        if why == _OTHER_VERSION:
            database.set_aside(results.database)
        report = database.replace(results.database, partial(build, results, why))
    except (OSError, duckdb.Error) as error:
        if isinstance(error, duckdb.Error) and not database.is_full(error):
            raise
        return IngestReport(skipped=skipped, published=False, unpublished=str(error).splitlines()[0])
    return replace(report, skipped=skipped + report.skipped, lost=tuple(losses))


def read_so_far(results: ResultsFolder) -> tuple[str | None, Taken]:
    """Return why the published database can't be built on, None if it can, with what it has taken in."""
    stamp = database.stamp(results.database)
    if stamp is None:
        return None, {}
    try:
        taken = _published(results.database, stamp)
    except duckdb.Error as error:
        return _unreadable(error), {}
    if taken is None:
        return _OTHER_VERSION, {}
    return _contradiction(results, taken), taken


def _contradiction(results: ResultsFolder, taken: Taken) -> str | None:
    """Return how the journal contradicts what a database has taken in, None where it has only grown."""
    if missing := lines.removed(results, taken):
        return f"{missing[0]} was removed"
    shrunk = next((source.file for source in lines.journals(results, taken)[0] if source.shrunk), None)
    return shrunk and f"{shrunk} is shorter than what was read of it"


@lru_cache(maxsize=1)  # opening a snapshot costs more than most of what is asked of it
def _published(path: Path, _: database.Stamp) -> Taken | None:
    """Return what the database of this stamp has taken in, None if it is of another version."""
    with database.reader(path) as connection:
        return _taken(connection) if database.is_current(connection) else None


def build(results: ResultsFolder, why: str | None, local: Path) -> IngestReport:
    """Make the next snapshot at `local`: from the published one, or from nothing where there is a reason."""
    base = _base(results, why)
    if base is not None:
        try:
            shutil.copyfile(base, local)
            with database.writer(local) as connection:
                return _take_in(results, connection)
        except duckdb.Error as error:
            why = _unreadable(error)
            local.unlink()
    with database.writer(local) as connection:
        database.create(connection)
        return replace(_take_in(results, connection), rebuilt=why)


def _base(results: ResultsFolder, why: str | None) -> Path | None:
    """Return the database to build on: the published one, or the last one of this version."""
    if why is None:
        return results.database if results.database.is_file() else None
    aside = database.aside(results.database)
    stamp = database.stamp(aside)
    if why != _OTHER_VERSION or stamp is None:
        return None
    try:
        taken = _published(aside, stamp)
    except duckdb.Error:
        return None
    return aside if taken is not None and _contradiction(results, taken) is None else None


@contextmanager
def _garbage_collector_off() -> Iterator[None]:
    """Staged rows hold no cycles, and are so many that the collector would look at them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_garbage_collector_off()
def _take_in(results: ResultsFolder, connection: duckdb.DuckDBPyConnection) -> IngestReport:
    taken = _taken(connection)
    (manifests, _), (journals, _) = lines.manifests(results, taken), lines.journals(results, taken)
    staging = Staging(connection)
    for source in manifests:
        _take_in_manifest(connection, staging, source)
    ends = [_take_in_journal(staging, source) for source in journals]
    staging.flush()
    _mark(connection, manifests + journals, [source.size for source in manifests] + ends)
    if manifests:
        connection.execute(SQL.text("merge/forget"))
    return IngestReport(len(manifests) + len(journals), staging.taken, tuple(staging.skipped), rewritten=True)


def _take_in_manifest(connection: duckdb.DuckDBPyConnection, staging: Staging, source: Source) -> None:
    sweep = source.file.split("/")[1]
    connection.execute("DELETE FROM sweep_trials WHERE sweep = ?", [sweep])
    connection.execute("DELETE FROM skipped_lines WHERE file = ?", [source.file])
    for position, line in enumerate(source.lines()):
        staging.add_sweep_trial(line, sweep, position)


def _take_in_journal(staging: Staging, source: Source) -> int:
    """Stage what the journal gained; return the byte behind it."""
    end = source.start
    for line in source.lines():
        staging.add_record(line)
        end = line.byte + len(line.text)
    return end


def _mark(connection: duckdb.DuckDBPyConnection, sources: list[Source], ends: list[int]) -> None:
    files = [source.file for source in sources]
    times = [source.modified_ns for source in sources]
    connection.execute(
        "DELETE FROM ingested_files WHERE list_contains($files::VARCHAR[], file)", {"files": files}
    )
    connection.execute(
        "INSERT INTO ingested_files"
        " SELECT unnest($files::VARCHAR[]), unnest($ends::BIGINT[]), unnest($times::BIGINT[])",
        {"files": files, "ends": ends, "times": times},
    )


def _taken(connection: duckdb.DuckDBPyConnection) -> Taken:
    rows = connection.execute("SELECT file, bytes, modified_ns FROM ingested_files").fetchall()
    return {file: (size, modified_ns) for file, size, modified_ns in rows}


def _unreadable(error: duckdb.Error) -> str:
    return f"{UNREADABLE} ({str(error).splitlines()[0]})"
