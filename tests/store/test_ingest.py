"""Ingestion of complete, growing and damaged journals."""

import errno
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder
from noisebench.store.ingest import ingest
from noisebench.store.query import query
from noisebench.store.staging import Staging
from noisebench.store.store import open_store
from tests.store.results_folder import Folder, ended, started, trial, unsuccessful

TABLES = (
    *("configs", "trial_seeds", "attempts", "results", "later_results", "epochs"),
    *("sweep_trials", "skipped_lines"),
)


def contents(folder: Folder) -> dict[str, list[tuple[Any, ...]]]:
    """Return every table's rows, sorted."""
    with open_store(folder.results) as snapshot:
        rows = {table: snapshot.query(f"FROM {table}").rows() for table in TABLES}
    return {table: sorted(found, key=repr) for table, found in rows.items()}


def test_a_new_folder_gets_an_empty_database(folder: Folder) -> None:
    report = ingest(folder.results)
    assert report.rewritten
    assert report.rebuilt is None
    assert query(folder.results, "FROM runs").rows() == []


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such results folder"):
        ingest(ResultsFolder(tmp_path / "absent"))
    assert not (tmp_path / "absent").exists()


def test_a_completed_trial_becomes_a_run(folder: Folder) -> None:
    bl = trial("BL", 3, gamma=0.4, delay=2)
    folder.journal(started(bl, "a"), ended(bl, "a", f1=0.75))
    report = ingest(folder.results)
    assert (report.files, report.records, report.skipped) == (1, 2, ())
    (run,) = query(folder.results, "FROM runs").table.to_pylist()
    expected = {
        "trial_id": bl.trial_id,
        "dataset": "digits",
        "corruption": "uniform",
        "eta": 0.2,
        "loss": "BL",
        "parameter": "gamma",
        "value": 0.4,
        "loss_parameters": '{"gamma":0.4}',
        "delay": 2,
        "detector": "confident-learning",
        "model": "small-cnn",
        "epochs": 2,
        "arithmetic": "reference",
        "seed": 3,
        "f1": 0.75,
        "precision": 0.5,
        "recall": None,
        "flagged": 7,
        "seconds": 9.5,
        "noise_hash": "ff",
    }
    assert {key: run[key] for key in expected} == expected
    assert query(folder.results, "SELECT epoch, loss FROM epochs ORDER BY epoch").rows() == [
        (0, 1.0),
        (1, 0.5),
    ]
    (attempt,) = query(folder.results, "FROM attempts").table.to_pylist()
    assert attempt["status"] == "completed"
    assert attempt["started_at"].isoformat() == "2026-11-20T10:00:00.500000"
    assert json.loads(attempt["versions"]) == {"python": "3.11"}
    (config,) = query(folder.results, "SELECT config FROM trials").rows()
    assert json.loads(config[0]) == bl.as_fields()


def test_dynamics_keep_their_quantiles(folder: Folder) -> None:
    ce = trial()
    epoch = {"fold": 0, "epoch": 0, "loss": 1.0, "accuracy": 0.5, "quantiles": {"wrong": [0.1, 0.2]}}
    folder.journal(started(ce, "a"), ended(ce, "a", epochs=[epoch]))
    assert query(folder.results, "SELECT quantiles->'wrong'->1 FROM epochs").rows() == [("0.2",)]


def test_without_new_lines_the_database_is_not_rewritten(folder: Folder) -> None:
    folder.manifest({"table": [trial()]})
    folder.journal(started(trial(), "a"), b"torn without an end")
    ingest(folder.results)
    before = folder.results.database.stat()
    report = ingest(folder.results)
    assert not report.rewritten
    assert report.published
    after = folder.results.database.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.slow
def test_a_torn_last_line_is_read_once_it_is_complete(folder: Folder) -> None:
    ce = trial()
    line = json.dumps(ended(ce, "a")).encode() + b"\n"
    folder.journal(started(ce, "a"), line[:40])
    assert ingest(folder.results).records == 1
    folder.journal(line[40:])
    assert ingest(folder.results).records == 1
    assert query(folder.results, "SELECT f1 FROM runs").rows() == [(0.9,)]


BROKEN_RECORDS = {
    "text": b"garbage\n",
    "zeros": b"\0" * 100 + b"\n",
    "no UTF-8": b'{"event": "\xff"}\n',
    "deep": b"[" * 100_000 + b"\n",
    "list": b"[1]\n",
    "event": b'{"event": "paused"}\n',
    "surrogate": json.dumps(ended(trial(), "\ud800")).encode() + b"\n",
    "no config": json.dumps({**started(trial(), "x"), "config": None}).encode() + b"\n",
    "config of another shape": json.dumps({**started(trial(), "x"), "config": {"loss": "CE"}}).encode()
    + b"\n",
    "seed": json.dumps(started(trial(), "x", config={**trial().as_fields(), "seed": "0"})).encode() + b"\n",
    "rate": json.dumps(
        started(
            trial(), "x", config={**trial().as_fields(), "corruption": {"name": "uniform", "rate": "high"}}
        )
    ).encode()
    + b"\n",
    "no model": json.dumps(
        started(
            trial(),
            "x",
            config={**trial().as_fields(), "training": {"model": None, "epochs": 1, "precision": "fast"}},
        )
    ).encode()
    + b"\n",
    "time": json.dumps(started(trial(), "x", started_at="yesterday")).encode() + b"\n",
    "time without zone": json.dumps(started(trial(), "x", started_at="2026-11-20T10:00:00")).encode() + b"\n",
    "no attempt": json.dumps(started(trial(), None)).encode() + b"\n",  # type: ignore[arg-type]
    "pid": json.dumps(started(trial(), "x", pid=2**70)).encode() + b"\n",
    "status": json.dumps(ended(trial(), "x", status="fine")).encode() + b"\n",
    "completed without result": json.dumps(ended(trial(), "x", result=None)).encode() + b"\n",
    "result of text": json.dumps(ended(trial(), "x", f1="high")).encode() + b"\n",  # type: ignore[arg-type]
    "epochs": json.dumps(ended(trial(), "x", epochs=[3])).encode() + b"\n",
    "epoch of text": json.dumps(ended(trial(), "x", epochs=[{"fold": "0"}])).encode() + b"\n",
    "seconds": json.dumps(ended(trial(), "x", seconds=[1])).encode() + b"\n",
}


@pytest.mark.slow
def test_every_broken_line_is_skipped_and_no_other(folder: Folder) -> None:
    folder.journal(started(trial(), "a"), b"\n")
    starts = {}
    for name, broken in BROKEN_RECORDS.items():
        starts[folder.journal(broken).stat().st_size - len(broken)] = name
    path = folder.journal(ended(trial(), "a"))
    os.utime(path, (time.time() - 120,) * 2)  # zeros in a young file may be bytes that are still to come
    report = ingest(folder.results)
    assert {skipped.file for skipped in report.skipped} == {"journal/paper/node1-a.jsonl"}
    assert sorted(starts[skipped.byte] for skipped in report.skipped) == sorted(BROKEN_RECORDS)
    assert all(skipped.why for skipped in report.skipped)
    assert report.records == 2
    assert query(folder.results, "SELECT f1 FROM runs").rows() == [(0.9,)]
    kept = query(folder.results, "SELECT byte, line FROM skipped_lines").rows()
    lines = [BROKEN_RECORDS[starts[byte]][:500].decode(errors="replace").rstrip("\n") for byte, _ in kept]
    assert lines == [line for _, line in kept]
    assert len(kept) == len(BROKEN_RECORDS)
    assert ingest(folder.results).skipped == ()


@pytest.mark.slow
def test_broken_manifest_lines_are_skipped_until_the_manifest_is_replaced(folder: Folder) -> None:
    path = folder.manifest({"table": [trial()]})
    path.write_bytes(b'{"block": 3}\n' + path.read_bytes() + b"[]\n")
    report = ingest(folder.results)
    assert sorted(skipped.byte for skipped in report.skipped)[0] == 0
    assert len(report.skipped) == 2
    assert query(folder.results, "SELECT block, position FROM sweep_trials").rows() == [("table", 1)]
    folder.manifest({"table": [trial()]})
    assert ingest(folder.results).skipped == ()
    assert query(folder.results, "FROM skipped_lines").rows() == []


def test_nan_and_infinity_become_null(folder: Folder) -> None:
    line = json.dumps(ended(trial(), "a", f1=float("nan"))).replace('"precision": 0.5', '"precision": 1e999')
    folder.journal(started(trial(), "a"), line.encode() + b"\n")
    assert query(folder.results, "SELECT f1, precision, flagged FROM results").rows() == [(None, None, 7)]
    assert ingest(folder.results).skipped == ()


@pytest.mark.slow
@pytest.mark.parametrize("backwards", [False, True])
def test_completed_counts_before_failed_before_interrupted(folder: Folder, backwards: bool) -> None:
    a, b = trial(seed=0), trial(seed=1)
    records = [
        unsuccessful(a, "a", at=5, status="interrupted"),
        ended(a, "a", at=9),
        unsuccessful(b, "b", at=5, status="interrupted"),
        unsuccessful(b, "b", at=9),
    ]
    for record in reversed(records) if backwards else records:
        folder.journal(record, file=f"node-{record['status']}")
        ingest(folder.results)
    folder.journal(started(a, "a"), started(b, "b"), file="late")
    rows = query(
        folder.results, "SELECT attempt_id, status, error_kind, host FROM attempts ORDER BY ALL"
    ).rows()
    assert rows == [("a", "completed", None, "node1"), ("b", "failed", "exception", "node1")]


@pytest.mark.slow
@pytest.mark.parametrize("backwards", [False, True])
def test_the_first_completed_attempt_counts_with_its_epochs(folder: Folder, backwards: bool) -> None:
    ce = trial()
    first = [started(ce, "a", host="one"), ended(ce, "a", at=10, f1=0.7, epochs=[{"fold": 0, "epoch": 0}])]
    later = [started(ce, "b", host="two"), ended(ce, "b", at=20, f1=0.8)]
    for number, records in enumerate((later, first) if backwards else (first, later)):
        folder.journal(*records, file=str(number))
        ingest(folder.results)
    assert query(folder.results, "SELECT attempt_id, f1 FROM runs").rows() == [("a", 0.7)]
    assert query(folder.results, "SELECT epoch FROM epochs").rows() == [(0,)]
    found = query(
        folder.results, "SELECT metric, first_value, later_value, first_host, later_host FROM disagreements"
    )
    assert found.rows() == [("f1", 0.7, 0.8, "one", "two")]


@pytest.mark.slow
def test_the_same_records_in_two_files_count_once(folder: Folder) -> None:
    records = [started(trial(), "a"), ended(trial(), "a")]
    folder.journal(*records)
    ingest(folder.results)
    before = contents(folder)
    folder.journal(*records, file="copy")
    assert contents(folder) == before


@pytest.mark.slow
def test_an_end_before_its_start_finds_its_configuration(folder: Folder) -> None:
    folder.journal(ended(trial(), "a"), file="driver")
    ingest(folder.results)
    assert query(folder.results, "FROM cells").rows() == []
    folder.journal(started(trial(), "a"), file="worker")
    assert query(folder.results, "SELECT mean FROM cells WHERE metric = 'f1'").rows() == [(0.9,)]


def eventful(folder: Folder, pause: Any) -> None:
    """Write a journal with records of every kind, calling `pause` between its parts."""
    trials = [trial("BL", seed, gamma=gamma) for gamma in (0.1, 0.2) for seed in range(3)]
    folder.manifest({"table": [*trials, trial("CE", 9)]})
    pause()
    for number, each in enumerate(trials):
        folder.journal(started(each, f"{number}", at=number), file=f"worker{number % 2}")
        if number % 3 == 0:
            pause()
    folder.journal(ended(trials[0], "0"), ended(trials[1], "1", f1=None), b"broken\n", file="worker0")
    pause()
    folder.journal(
        unsuccessful(trials[2], "2"), unsuccessful(trials[0], "0", status="interrupted"), file="driver"
    )
    folder.journal(
        started(trials[0], "again"), ended(trials[0], "again", at=5, f1=0.3), file="worker3", sweep="two"
    )
    pause()
    folder.manifest({"table": trials, "other": trials[:2]}, seeds_asked=3)
    folder.journal(ended(trials[0], "third", at=50), ended(trials[5], "5"), b"torn", file="worker1")
    pause()


@pytest.mark.slow
def test_a_rebuilt_database_equals_the_incremental_one(folder: Folder) -> None:
    eventful(folder, lambda: ingest(folder.results))
    incremental = contents(folder)
    assert all(incremental.values())
    report = ingest(folder.results, rebuild=True)
    assert report.rebuilt == "asked for"
    assert contents(folder) == incremental


@pytest.mark.slow
def test_small_batches_give_the_same_tables_as_one(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    eventful(folder, lambda: None)
    ingest(folder.results)
    whole = contents(folder)
    monkeypatch.setattr("noisebench.store.staging._BATCH_BYTES", 1)
    ingest(folder.results, rebuild=True)
    assert contents(folder) == whole


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, dict[str, list[tuple[Any, ...]]]]:
    """A folder with records of every kind, and its tables."""
    folder = Folder(tmp_path_factory.mktemp("undamaged"))
    eventful(folder, lambda: None)
    return folder, contents(folder)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["foreign", "cut", "empty", "older", "overwritten"])
def test_a_damaged_database_is_rebuilt(
    undamaged: tuple[Folder, dict[str, list[tuple[Any, ...]]]], tmp_path: Path, damage: str
) -> None:
    original, whole = undamaged
    folder = Folder(Path(shutil.copytree(original.root, tmp_path / "copy")))
    path = folder.results.database
    data = path.read_bytes()
    if damage == "older":
        with duckdb.connect(path) as connection:
            connection.execute("UPDATE store SET fingerprint = 'older'")
    else:
        overwritten = data[:20_000] + b"\xff" * (len(data) - 20_000)
        texts = {"foreign": b"a" * 9999, "cut": data[:5000], "empty": b"", "overwritten": overwritten}
        path.write_bytes(texts[damage])
    report = ingest(folder.results)
    assert report.rebuilt
    assert contents(folder) == whole


@pytest.mark.slow
def test_a_journal_that_shrank_is_read_again_from_its_start(folder: Folder) -> None:
    path = folder.journal(started(trial(), "a"), ended(trial(), "a"))
    ingest(folder.results)
    path.write_bytes(b"")
    folder.journal(started(trial(), "b"))
    report = ingest(folder.results)
    assert report.rebuilt == "journal/paper/node1-a.jsonl is shorter than what was read of it"
    assert query(folder.results, "SELECT attempt_id, status FROM attempts").rows() == [("b", "running")]


INGESTER = """
import sys
from pathlib import Path
from noisebench.store.ingest import ingest
from noisebench.records.folders import ResultsFolder
for _ in range(int(sys.argv[2])):
    ingest(ResultsFolder(Path(sys.argv[1])), rebuild=True)
"""


def ingester(folder: Folder, rounds: int) -> "subprocess.Popen[bytes]":
    """Start a process that rebuilds the database again and again."""
    return subprocess.Popen([sys.executable, "-c", INGESTER, str(folder.root), str(rounds)])


@pytest.mark.slow
def test_two_ingesters_at_once_leave_a_valid_database(folder: Folder) -> None:
    eventful(folder, lambda: None)
    processes = [ingester(folder, 3) for _ in range(2)]
    late = [trial("GCE", seed, q=0.7) for seed in range(6)]
    for number, each in enumerate(late):
        folder.journal(started(each, f"late{number}"), ended(each, f"late{number}"), file="late")
        count = query(folder.results, "SELECT count(*) FROM runs WHERE loss = 'GCE'").rows()
        assert count <= [(number + 1,)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert query(folder.results, "SELECT count(*) FROM runs WHERE loss = 'GCE'").rows() == [(6,)]
    both = contents(folder)
    ingest(folder.results, rebuild=True)
    assert contents(folder) == both
    assert [path.name for path in folder.root.glob(".results*")] == []


def test_the_garbage_collector_is_off_only_while_lines_are_read(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def full(_: Staging) -> None:
        seen.append(gc.isenabled())
        raise OSError(errno.ENOSPC, "no space")

    folder.journal(started(trial(), "a"), ended(trial(), "a"))
    monkeypatch.setattr(Staging, "flush", full)
    assert not ingest(folder.results).published
    assert (seen, gc.isenabled()) == ([False], True)


@pytest.mark.slow
def test_a_killed_ingester_leaves_a_valid_database(folder: Folder) -> None:
    eventful(folder, lambda: None)
    ingest(folder.results)
    whole = contents(folder)
    for pause in (0.3, 0.45, 0.6):
        process = ingester(folder, 10_000)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait()
        report = ingest(folder.results)
        assert report.rebuilt is None
        assert contents(folder) == whole


def test_files_of_killed_ingesters_are_removed_once_they_are_stale(folder: Folder) -> None:
    folder.root.mkdir(exist_ok=True)
    stale, young, other = (
        folder.root / name for name in (".results.duckdb.1a", ".results.duckdb.2b", ".mine.1a")
    )
    for path in (stale, young, other):
        path.write_bytes(b"half a database")
    for path in (stale, other):
        os.utime(path, (time.time() - 7_200,) * 2)
    ingest(folder.results)
    assert [path.exists() for path in (stale, young, other)] == [False, True, True]


READER = """
import os, sys
from pathlib import Path
from noisebench.errors import EnvironmentFault
from noisebench.store.query import query
from noisebench.store.store import open_store
from noisebench.records.folders import ResultsFolder
os.setuid(65534)
try:
    answer = query(ResultsFolder(Path(sys.argv[1])), "SELECT count(*) FROM runs")
    print(answer.rows(), answer.age_seconds is not None and 0 <= answer.age_seconds < 600)
except EnvironmentFault as fault:
    print(fault)
"""


def read_as_nobody(root: Path) -> str:
    """Return what a query prints for a reader without write permission."""
    done = subprocess.run(
        [sys.executable, "-c", READER, str(root)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_reader_without_write_permission_gets_the_last_snapshot() -> None:
    # pytest's own folder can be entered by its user alone.
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        open_folder = Folder(root)
        open_folder.journal(started(trial(), "a"), ended(trial(), "a"))
        assert "no database yet" in read_as_nobody(root)
        ingest(open_folder.results)
        assert read_as_nobody(root) == "[(1,)] False"
        open_folder.journal(ended(trial(seed=1), "b"))
        assert read_as_nobody(root) == "[(1,)] True"
        # The snapshot holds more than the journal, and this reader cannot build another.
        shutil.rmtree(root / "journal")
        assert read_as_nobody(root) == "[(1,)] True"
