"""A results folder that others can write: queries change no file, ingestion reads no other file."""

import hashlib
import os
import shutil
from pathlib import Path

import duckdb
import pytest

from noisebench.errors import InputError
from noisebench.store.damage import Verification
from noisebench.store.database_check import compare_database, lost_files
from noisebench.store.ingest import ingest
from noisebench.store.query import query
from tests.store.results_folder import Folder, ended, line_of, started, trial

SECRET = "the-secret-of-another-user"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A folder with one completed trial and its database."""
    folder = Folder(tmp_path_factory.mktemp("original"))
    folder.journal(started(trial(), "a"), ended(trial(), "a", f1=0.943))
    ingest(folder.results)
    return folder


@pytest.fixture
def filled(original: Folder, tmp_path: Path) -> Folder:
    """A copy of it."""
    shutil.copytree(original.root, tmp_path / "results")
    return Folder(tmp_path / "results")


def fingerprint(root: Path) -> dict[str, str]:
    """Return the hash of every file below a folder by its path."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


_DISABLED = "File system LocalFileSystem has been disabled by configuration"
_READ_ONLY = 'database "snapshot" which is attached in read-only mode'
# Each statement, and what DuckDB or we say of it.
WRITES = {
    "explained copy": (
        "EXPLAIN ANALYZE COPY (SELECT 'x') TO '{db}' (FORMAT csv, USE_TMP_FILE false)",
        _DISABLED,
    ),
    "explained copy of the log": ("EXPLAIN ANALYZE COPY (SELECT 'x') TO '{db}.wal' (FORMAT csv)", _DISABLED),
    "copy": ("COPY (SELECT 'x') TO '{root}/x.csv'", "a query only reads: SELECT, not COPY"),
    "deletion in a CTE": ("WITH gone AS (DELETE FROM results RETURNING *) SELECT * FROM gone", _READ_ONLY),
    "update in a CTE": (
        "WITH new AS (UPDATE results SET f1 = 0.123 RETURNING *) SELECT * FROM new",
        _READ_ONLY,
    ),
    "explained update": ("EXPLAIN ANALYZE UPDATE results SET f1 = 0.123", _READ_ONLY),
    "explained attachment": (
        "EXPLAIN ANALYZE ATTACH '{root}/other.duckdb'",
        'syntax error at or near "ATTACH"',
    ),
    "log by a table function": ("SELECT * FROM read_text('{db}.wal')", _DISABLED),
}


@pytest.mark.parametrize(("sql", "message"), WRITES.values(), ids=WRITES.keys())
def test_a_query_changes_no_file(filled: Folder, sql: str, message: str) -> None:
    before = fingerprint(filled.root)
    with pytest.raises(InputError, match=message):
        query(filled.results, sql.format(db=filled.results.database, root=filled.root))
    assert fingerprint(filled.root) == before
    assert query(filled.results, "SELECT f1 FROM runs").rows() == [(0.943,)]


@pytest.mark.parametrize("target", ["{db}", "{db}.wal"])
def test_a_query_cannot_write_the_snapshot(filled: Folder, target: str) -> None:
    """DuckDB 2.0.0 let COPY overwrite an attached file; 2.0.1 does not. We rely on neither."""
    path = target.format(db=filled.results.database)
    copy = f"EXPLAIN ANALYZE COPY (SELECT 'x') TO '{path}' (FORMAT csv, USE_TMP_FILE false)"
    with pytest.raises(InputError, match="File system LocalFileSystem has been disabled by configuration"):
        query(filled.results, copy)


def test_a_hard_link_in_a_shared_journal_is_not_read(filled: Folder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    journal = filled.results.sweep("paper").journal
    (journal / "secret.jsonl").hardlink_to(tmp_path / "secret")
    journal.chmod(0o775)
    report = ingest(filled.results)
    assert [skipped.file for skipped in report.skipped] == ["journal/paper/secret.jsonl"]
    assert "has a hard link" in report.skipped[0].why
    assert SECRET not in repr(query(filled.results, "FROM skipped_lines").rows())


def test_a_query_spills_nothing_into_the_working_directory(
    filled: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = query(filled.results, "SELECT current_setting('temp_directory')").rows()
    assert settings == [("",)]


def test_a_pipe_in_place_of_the_database_is_replaced(filled: Folder) -> None:
    filled.results.database.unlink()
    os.mkfifo(filled.results.database)
    verification = Verification()
    lost_files(filled.results, verification)
    compare_database(filled.results, verification, certain=False)
    (damage,) = verification.damages
    assert damage.problem == f"cannot be read: {filled.results.database} is no regular file"
    assert query(filled.results, "SELECT f1 FROM runs").rows() == [(0.943,)]
    assert filled.results.database.is_file()


@pytest.mark.slow
def test_a_write_ahead_log_of_another_is_removed(filled: Folder) -> None:
    """Readers would replay the log, or could no longer open the snapshot."""
    log = filled.root / "results.duckdb.wal"
    for content in (b"", b"no log", b"\0" * 4096):
        log.write_bytes(content)
        assert query(filled.results, "SELECT f1 FROM runs").rows() == [(0.943,)]
        assert not log.exists()


def test_a_log_that_changes_results_is_not_replayed(filled: Folder, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(filled.results.database.read_bytes())
    connection = duckdb.connect(copy)
    connection.execute("SET checkpoint_threshold = '1 TB'; UPDATE results SET f1 = 0.123")
    log = copy.with_name("copy.duckdb.wal").read_bytes()
    connection.close()
    (filled.root / "results.duckdb.wal").write_bytes(log)
    assert query(filled.results, "SELECT f1 FROM runs").rows() == [(0.943,)]


def test_a_linked_journal_is_not_read(filled: Folder, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    (filled.results.journal / "paper" / "x.jsonl").symlink_to(tmp_path / "key")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "y.jsonl").write_text(f"{SECRET}\n")
    (filled.results.journal / "q").symlink_to(tmp_path / "elsewhere")
    report = ingest(filled.results)
    assert {skipped.file for skipped in report.skipped} == {"journal/paper/x.jsonl", "journal/q/y.jsonl"}
    assert SECRET not in str(query(filled.results, "FROM skipped_lines").rows())
    assert SECRET.encode() not in filled.results.database.read_bytes()


def test_other_files_in_the_journal_are_reported_and_skipped(filled: Folder) -> None:
    (filled.results.journal / "paper" / "folder.jsonl").mkdir()
    os.mkfifo(filled.results.journal / "paper" / "pipe.jsonl")
    folder = filled.journal(started(trial(seed=1), "b"))
    report = ingest(filled.results)
    files = {skipped.file: skipped.why for skipped in report.skipped}
    assert set(files) == {"journal/paper/folder.jsonl"}
    assert folder.name == "node1-a.jsonl"
    assert query(filled.results, "SELECT count(*) FROM attempts").rows() == [(2,)]


@pytest.mark.slow
@pytest.mark.parametrize("plant", ["link", "pipe", "folder"])
def test_a_manifest_that_cannot_be_read_stops_no_other_sweep(
    filled: Folder, tmp_path: Path, plant: str
) -> None:
    path = filled.manifest({"grid": [trial()]}, sweep="other")
    filled.manifest({"grid": [trial()]})
    path.unlink()
    match plant:
        case "link":
            (tmp_path / "key").write_text(SECRET)
            path.symlink_to(tmp_path / "key")
        case "pipe":
            os.mkfifo(path)
        case _:
            path.mkdir()
    for rebuild in (False, True, False):
        report = ingest(filled.results, rebuild=rebuild)
        assert [each.file for each in report.skipped] == ["sweeps/other/manifest.jsonl"]
        assert report.published
    assert query(filled.results, "SELECT sweep FROM sweep_trials").rows() == [("paper",)]


def test_a_macro_in_a_hostile_database_reads_no_file(filled: Folder, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    with duckdb.connect(filled.results.database) as connection:
        reading = f"(SELECT count(*) FROM read_text('{tmp_path / 'key'}'))"
        connection.execute(f"CREATE OR REPLACE MACRO md5_number_lower(x) AS {reading}")
    filled.results.database.with_name("results.duckdb.wal").unlink(missing_ok=True)
    filled.journal(started(trial(seed=1), "b"), ended(trial(seed=1), "b"))
    report = ingest(filled.results)
    keys = query(filled.results, "SELECT trial_key FROM results").rows()
    assert report.rebuilt or all(key > 1 for (key,) in keys)


@pytest.mark.slow
def test_a_line_that_the_database_refuses_is_skipped_and_no_other(filled: Folder) -> None:
    number = ended(trial(seed=1), "b", result={"flagged": -(2**63), "f1": 0.5})
    matrix = ended(trial(seed=2), "c", result={"f1": 0.5, "transition": "[[1, 2"})
    good = [ended(trial(seed=seed), f"g{seed}") for seed in range(3, 8)]
    filled.journal(*good[:2], number, *good[2:4], matrix, good[4])
    report = ingest(filled.results)
    assert [line_of(matrix)[:40] in text.encode() for (text,) in lines(filled)] == [True]
    assert len(report.skipped) == 1
    assert query(filled.results, "SELECT count(*) FROM results").rows() == [(7,)]
    assert ingest(filled.results, rebuild=True).skipped == report.skipped
    assert query(filled.results, "SELECT count(*) FROM results").rows() == [(7,)]


def lines(folder: Folder) -> list[tuple[str]]:
    return [(str(line),) for (line,) in query(folder.results, "SELECT line FROM skipped_lines").rows()]
