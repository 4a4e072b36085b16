"""After lost files, late bytes and different clocks, the database equals a rebuilt one."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from noisebench.errors import EnvironmentFault
from noisebench.records import durable
from noisebench.records.attempts import Started
from noisebench.records.lines import decode
from noisebench.store import database
from noisebench.store.archive import export_sweep, import_archive
from noisebench.store.damage import Verification
from noisebench.store.database_check import compare_database
from noisebench.store.ingest import IngestReport, _published, ingest
from noisebench.store.query import query
from noisebench.store.states import trial_states
from noisebench.store.store import open_store
from tests.fuzz.lines import contents
from tests.store.results_folder import Folder, ended, line_of, started, trial, unsuccessful


@pytest.mark.slow
def test_a_removed_journal_is_gone_from_the_database(folder: Folder) -> None:
    folder.journal(started(trial(), "a"), ended(trial(), "a"), sweep="first")
    folder.journal(started(trial(seed=1), "b"), ended(trial(seed=1), "b"), sweep="second")
    ingest(folder.results)
    shutil.rmtree(folder.results.sweep("first").journal)
    report = ingest(folder.results)
    assert report.rebuilt == "journal/first/node1-a.jsonl was removed"
    assert report.lost == ("journal/first/node1-a.jsonl",)
    assert ingest(folder.results, rebuild=True).lost == ()
    assert query(folder.results, "SELECT attempt_id FROM attempts").rows() == [("b",)]


@pytest.mark.slow
def test_bytes_that_become_visible_late_are_read(folder: Folder) -> None:
    """A reader over a network can see the end of a line while its middle still reads as zeros."""
    path = folder.journal(started(trial(), "a"))
    ingest(folder.results)
    line = line_of(ended(trial(), "a"))
    before = path.read_bytes()
    path.write_bytes(before + line[:60] + b"\0" * 80 + line[140:])
    assert ingest(folder.results).skipped == ()
    path.write_bytes(before + line)
    ingest(folder.results)
    assert query(folder.results, "SELECT f1 FROM runs").rows() == [(0.9,)]


@pytest.mark.slow
def test_zeros_that_remain_are_skipped(folder: Folder) -> None:
    path = folder.journal(started(trial(), "a"), b"\0" * 50 + b"\n", ended(trial(), "a"))
    assert query(folder.results, "SELECT count(*) FROM runs").rows() == [(0,)]
    os.utime(path, (time.time() - 120,) * 2)
    assert len(ingest(folder.results).skipped) == 1
    assert query(folder.results, "SELECT f1 FROM runs").rows() == [(0.9,)]


@contextmanager
def file_sizes_up_to(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes: DuckDB then fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# The database, its write-ahead log, and its last checkpoint become too large.
@pytest.mark.slow
@pytest.mark.parametrize("size", [1_000, 20_000, 100_000])
def test_a_full_temporary_folder_leaves_the_old_snapshot(folder: Folder, size: int) -> None:
    folder.journal(started(trial(), "a"), ended(trial(), "a"))
    ingest(folder.results)
    before = folder.results.database.read_bytes()
    folder.journal(started(trial(seed=1), "b"), ended(trial(seed=1), "b"))
    with file_sizes_up_to(size):
        report = ingest(folder.results, rebuild=True)
        with pytest.raises(EnvironmentFault, match="no database can be built in TMPDIR to compare with"):
            compare_database(folder.results, Verification(), certain=True)
    assert not report.published
    assert "File too large" in (report.unpublished or "")
    assert folder.results.database.read_bytes() == before
    assert ingest(folder.results).records == 2


def changed(record: dict[str, object], **changes: object) -> bytes:
    """Return the record's line with changes, and the checksum of the original."""
    *rest, checksum = line_of(record).rsplit(b',"crc32":', 1)
    body = json.dumps({**json.loads(rest[0] + b"}"), **changes}, separators=(",", ":"))
    return body.encode().removesuffix(b"}") + b',"crc32":' + checksum


def test_a_changed_number_is_detected(folder: Folder) -> None:
    result = {"f1": 0.1, "precision": 0.5, "flagged": 7, "noise_hash": "ff", "seconds": 9.5}
    folder.journal(started(trial(), "a"), changed(ended(trial(), "a"), result=result))
    (skipped,) = ingest(folder.results).skipped
    assert "checksum does not match" in skipped.why
    assert query(folder.results, "SELECT f1 FROM runs").rows() == []


def test_a_start_with_the_configuration_of_another_trial_is_refused(folder: Folder) -> None:
    swapped = {**started(trial(seed=0), "a"), "config": trial(seed=1).as_fields()}
    folder.journal(swapped)
    (skipped,) = ingest(folder.results).skipped
    assert f"its configuration makes it {trial(seed=1).trial_id}" in skipped.why
    assert isinstance(decode(line_of(swapped)), Started)


def test_a_reason_that_quotes_no_valid_text_is_kept(folder: Folder) -> None:
    folder.journal(started(trial(), "a", trial_id="\ud800"))
    ingest(folder.results)
    ((why,),) = query(folder.results, "SELECT why FROM skipped_lines").rows()
    assert why.startswith(r"the trial is called \ud800, but its configuration makes it")


@pytest.mark.slow
def test_an_import_does_not_displace_the_folders_own_result(folder: Folder, tmp_path: Path) -> None:
    there = Folder(tmp_path / "there")
    for each in (folder, there):
        each.manifest({"grid": [trial()]})
        each.results.sweep("paper").spec.write_text("sweep: paper\n")
    there.journal(started(trial(), "theirs"), ended(trial(), "theirs", 5, f1=0.1))
    folder.journal(started(trial(), "ours"), ended(trial(), "ours", 50, f1=0.9))
    export_sweep(there.results.sweep("paper"), tmp_path / "paper.tar")
    import_archive(folder.results, tmp_path / "paper.tar")
    for rebuild in (False, True):
        ingest(folder.results, rebuild=rebuild)
        assert query(folder.results, "SELECT attempt_id, f1 FROM runs").rows() == [("ours", 0.9)]
        later = query(folder.results, "SELECT attempt_id FROM later_results").rows()
        assert later == [("theirs",)]


# The second end is earlier, later, or at the same time in a file that a rebuild reads first.
@pytest.mark.slow
@pytest.mark.parametrize(("late", "file"), [(5, "node2-b"), (50, "node2-b"), (20, "node0-b")])
def test_two_ends_of_one_attempt_give_the_same_row_read_at_once_or_one_by_one(
    folder: Folder, late: int, file: str
) -> None:
    folder.journal(started(trial(), "a"), ended(trial(), "a", 20, f1=0.4))
    ingest(folder.results)
    folder.journal(ended(trial(), "a", late, f1=0.8), file=file)
    ingest(folder.results)
    counts = "(SELECT count(*) FROM epochs), (SELECT count(*) FROM later_results)"
    sql = f"SELECT f1, ended_at, {counts} FROM results"
    incremental = query(folder.results, sql).rows()
    ingest(folder.results, rebuild=True)
    assert query(folder.results, sql).rows() == incremental
    assert incremental[0][0] == (0.8 if late < 20 else 0.4)


@pytest.mark.slow
def test_after_two_starts_of_one_attempt_the_database_equals_a_rebuilt_one(folder: Folder) -> None:
    folder.manifest({"grid": [trial()]})
    folder.journal(started(trial(seed=1), "a", 20), file="one")
    ingest(folder.results)
    folder.journal(started(trial(seed=2), "a", 10), file="two")
    _assert_equals_a_rebuilt_database(folder)
    folder.journal(ended(trial(seed=1), "c", 40), file="two")
    _assert_equals_a_rebuilt_database(folder)


@pytest.mark.slow
def test_a_replaced_manifest_takes_the_configuration_of_a_trial_without_a_start(folder: Folder) -> None:
    folder.manifest({"grid": [trial(seed=1), trial(seed=2)]})
    folder.journal(*(ended(trial(seed=1), name, at) for name, at in (("a", 10), ("b", 20))))
    ingest(folder.results)
    folder.manifest({"grid": [trial(seed=2)]})
    _assert_equals_a_rebuilt_database(folder)


def _assert_equals_a_rebuilt_database(folder: Folder) -> None:
    ingest(folder.results)
    incremental = contents(folder)
    ingest(folder.results, rebuild=True)
    assert contents(folder) == incremental


def test_a_failure_on_a_node_whose_clock_is_behind_counts(folder: Folder) -> None:
    folder.manifest({"grid": [trial()]})
    folder.journal(started(trial(), "a", 3600), unsuccessful(trial(), "a", 3610, status="interrupted"))
    behind = started(trial(), "b", 60, host="node2")
    folder.journal(behind, unsuccessful(trial(), "b", 70), file="node2-b")
    with open_store(folder.results) as store:
        assert trial_states(store, "paper") == {trial().trial_id: "failed"}


@pytest.mark.slow
def test_an_older_snapshot_never_replaces_a_newer_one(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first ingester waits for the disk, a second one publishes more."""
    folder.journal(started(trial(), "a"))
    ingest(folder.results)
    folder.journal(ended(trial(), "a"))
    real_fsync, waits = os.fsync, []

    def slow(descriptor: int) -> None:
        if not waits:
            waits.append(descriptor)
            folder.journal(started(trial(seed=1), "b"), ended(trial(seed=1), "b"), file="node2-b")
            ingest(folder.results)
        real_fsync(descriptor)

    monkeypatch.setattr(durable.os, "fsync", slow)
    ingest(folder.results)
    with database.reader(folder.results.database) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchall() == [(2,)]


@pytest.mark.slow
def test_two_versions_on_one_folder_each_keep_their_database(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_version(digit: str) -> IngestReport:
        monkeypatch.setattr(database, "_fingerprint", lambda: digit * 16)
        _published.cache_clear()  # a process is of one version
        return ingest(folder.results)

    folder.journal(started(trial(), "a"), ended(trial(), "a"))
    assert as_version("1").records == 2
    assert as_version("2").rebuilt == "the database was made by another version of noisebench"
    folder.journal(started(trial(seed=1), "b"), ended(trial(seed=1), "b"))
    for version in ("1", "2"):
        report = as_version(version)
        assert (report.rebuilt, report.records) == (None, 2)
        assert query(folder.results, "SELECT count(*) FROM runs").rows() == [(2,)]
    assert len(list(folder.root.glob(".results-*.duckdb"))) <= 2
    shutil.rmtree(folder.results.journal)
    assert as_version("1").rebuilt
    assert query(folder.results, "SELECT count(*) FROM runs").rows() == [(0,)]


def test_the_folder_of_a_killed_ingester_is_removed(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    folders = {name: tmp_path / "tmp" / f"noisebench-ingest-{name}" for name in ("old", "young")}
    for name, path in folders.items():
        path.mkdir()
        (path / "0.duckdb").write_bytes(b"half")
        if name == "old":
            for each in (path / "0.duckdb", path):
                os.utime(each, (time.time() - 7_200,) * 2)
    folder.journal(started(trial(), "a"))
    ingest(folder.results)
    assert [path.exists() for path in folders.values()] == [False, True]


def test_the_store_imports_no_torch_ray_or_submitit() -> None:
    code = "import noisebench.store.store, noisebench.store.ingest, noisebench.store.archive"
    timed = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(timed, capture_output=True, text=True, check=True)
    modules = {line.rsplit("|", 1)[1].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "duckdb" in modules
    assert not modules & {"torch", "torchvision", "ray", "submitit", "sklearn", "cleanlab"}
