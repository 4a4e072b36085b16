"""The papers' printed numbers taken into the database."""

import hashlib
import shutil
from pathlib import Path

import duckdb

from noisebench.errors import EnvironmentFault, InputError
from noisebench.records.folders import ResultsFolder
from noisebench.store import database, statements
from noisebench.store.reading import reading


def load_published(results: ResultsFolder, csv: Path) -> None:
    """Make table `published` hold what a CSV file with its columns holds, and nothing else.

    Where it holds that already, nothing is written. A database that is rebuilt has it empty again. Raises
    InputError where the file doesn't fit the table, EnvironmentFault where the database can't be written.
    """
    digest = hashlib.sha256(csv.read_bytes()).hexdigest()
    with reading(results) as snapshot:
        if snapshot.connection.execute("SELECT published FROM store").fetchone() == (digest,):
            return

    def build(local: Path) -> None:
        shutil.copyfile(results.database, local)
        with database.writer(local) as connection:
            connection.execute("DELETE FROM published")
            connection.execute(statements.statement("merge/published"), {"csv": str(csv)})
            connection.execute("UPDATE store SET published = ?", [digest])

    try:
        database.replace(results.database, build)
    except OSError as error:
        raise EnvironmentFault(f"the published numbers can't be loaded: {error}") from error
    except duckdb.Error as error:
        raise InputError(f"{csv}: {error}") from error
