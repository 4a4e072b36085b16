"""Whether the database holds what the records say, compared with one that is built from nothing aside."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import duckdb

from noisebench.errors import EnvironmentFault
from noisebench.records.folders import ResultsFolder
from noisebench.store import database
from noisebench.store.damage import Kind, Location, Verification
from noisebench.store.ingest import UNREADABLE, build, read_so_far
from noisebench.store.lost import known_losses

# They hold which version made the file, when files were changed, and what no record says.
_NOT_COMPARED = ("store", "ingested_files", "published", "metrics")
# A sweep that runs adds records between the two databases that are compared.
_TRIES = 3


def lost_files(results: ResultsFolder, verification: Verification, sweep: str | None = None) -> None:
    """Add each journal file that is gone, or shorter than what the database has, or once had, read of it.

    Only those of `sweep`, if it is given.
    """
    read = _read_so_far(results, verification)
    for file, size in known_losses(results).items():
        if file not in read and _is_of(file, sweep):
            problem = f"is gone or shorter than the {size} bytes that a former database had read of it"
            verification.add(Kind.RECORDS_LOST, Location(file), problem)
    for file, size in read.items():
        if not _is_of(file, sweep):
            continue
        try:
            now = (results.root / file).stat().st_size
        except FileNotFoundError:
            verification.add(Kind.JOURNAL_LOST, Location(file), "is gone, but the database has its records")
            continue
        if now < size and file.startswith("journal/"):
            problem = f"has {now} bytes, but the database has read {size} of it"
            verification.add(Kind.JOURNAL_LOST, Location(file), problem)


def _is_of(file: str, sweep: str | None) -> bool:
    return sweep is None or file.split("/")[1:2] == [sweep]


def compare_database(results: ResultsFolder, verification: Verification, *, certain: bool) -> None:
    """Add each table in which the database differs from one that is built of the journal alone.

    If the records themselves are damaged, not `certain`, a difference is a note: the database may be right.
    Both are made in a private temporary folder; the published one takes in there what the journal has gained.
    Raises EnvironmentFault where that folder can't be written.
    """
    if not results.database.exists():
        verification.notes.append("there is no database yet; the next command makes it")
        return
    why, _ = read_so_far(results)
    if why is not None and why.startswith(UNREADABLE):
        if all(damage.kind is not Kind.DATABASE for damage in verification.damages):
            verification.add(Kind.DATABASE, Location(results.database.name), why)
        return
    if why is not None:
        verification.notes.append(f"{results.database.name}: not compared with the records: {why}")
        return
    for _ in range(_TRIES):
        try:
            with tempfile.TemporaryDirectory(prefix="noisebench-") as folder:
                differences = _differences(results, Path(folder))
        except (OSError, duckdb.Error) as error:
            if isinstance(error, duckdb.Error) and not database.is_full(error):
                raise
            problem = str(error).splitlines()[0]
            raise EnvironmentFault(f"no database can be built in TMPDIR to compare with: {problem}") from None
        if differences is not None:
            for difference in differences:
                if certain:
                    verification.add(Kind.DATABASE, Location(results.database.name), difference)
                else:
                    verification.notes.append(f"{results.database.name}: {difference}; records are damaged")
            return
    verification.notes.append("the database was not compared: the sweep is running, records come in")


def _differences(results: ResultsFolder, folder: Path) -> list[str] | None:
    """Return what differs, table by table; None where records came in meanwhile."""
    current, rebuilt = folder / "current.duckdb", folder / "rebuilt.duckdb"
    report = build(results, None, current)
    if report.rebuilt is not None:
        return [report.rebuilt]
    build(results, "asked for", rebuilt)
    with database.reader(current) as one, database.reader(rebuilt) as other:
        files = "SELECT file, bytes FROM ingested_files ORDER BY ALL"
        if one.execute(files).fetchall() != other.execute(files).fetchall():
            return None
        names = [name for (name,) in other.execute("SHOW TABLES").fetchall()]
        compared = [name for name in names if name not in (*_NOT_COMPARED, *database.VIEWS)]
        differences = [_difference(one, other, name) for name in compared]
    return [difference for difference in differences if difference]


def _difference(one: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection, table: str) -> str | None:
    """Return how a table of `one` differs from that of `other`, None where their rows are equal."""
    total = f"SELECT count(*), bit_xor(hash(t)), sum(hash(t)::HUGEINT) FROM {table} AS t"
    try:
        if one.execute(total).fetchone() == other.execute(total).fetchone():
            return None
        surplus = _rows(one, table)
        missing = _rows(other, table)
    except duckdb.Error as error:
        return f"table {table}: cannot be read: {str(error).splitlines()[0]}"
    surplus, missing = surplus - missing, missing - surplus
    examples = sorted({trial for trial, _ in [*surplus, *missing] if trial})
    example = f"; for example of trial {examples[0]}" if examples else ""
    return (
        f"table {table}: {surplus.total()} rows are not in the records, and {missing.total()} rows that the "
        f"records make are not in it{example}"
    )


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> Counter[tuple[str | None, int]]:
    """Return the trial, if any, and the hash of each row of a table."""
    columns = [name for name, *_ in connection.execute(f"DESCRIBE {table}").fetchall()]
    trial = "trial_id" if "trial_id" in columns else "NULL"
    rows = connection.execute(f"SELECT {trial}, hash(t) FROM {table} AS t").fetchall()
    return Counter((trial_id, digest) for trial_id, digest in rows)


def _read_so_far(results: ResultsFolder, verification: Verification) -> dict[str, int]:
    """Return how many bytes of each file the database has read; nothing where it cannot be used."""
    if not results.database.exists():
        return {}
    try:
        with database.reader(results.database) as connection:
            if not database.is_current(connection):
                verification.notes.append(
                    f"{results.database.name}: was made by another version; the next command rebuilds it"
                )
                return {}
            rows = connection.execute("SELECT file, bytes FROM ingested_files").fetchall()
    except duckdb.Error as error:
        problem = f"cannot be read: {str(error).splitlines()[0]}"
        verification.add(Kind.DATABASE, Location(results.database.name), problem)
        return {}
    return dict(rows)
