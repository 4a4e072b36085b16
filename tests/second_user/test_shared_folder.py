"""Another user writes into a shared results folder: no private file leaks, no code runs, nothing hangs."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from noisebench.records.checkpoints import Checkpoints
from noisebench.records.consent import check_code
from noisebench.records.folders import ResultsFolder
from noisebench.store.ingest import ingest
from tests.command import noisebench
from tests.second_user.other_user import OTHER, SECRET, as_other_user
from tests.store.results_folder import Folder, ended, started, trial
from tests.trials import sweep_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can act as a second user"),
]


def outputs(folder: Folder) -> str:
    """Return all that the reading commands print."""
    commands = [
        ("status",),
        ("status", "paper", "--json"),
        ("query", "FROM skipped_lines", "--format", "json"),
        ("query", "FROM runs", "--format", "json"),
        ("ingest",),
        ("verify",),
        ("failures", "paper"),
        ("show", trial().trial_id),
        ("clean", "paper"),
    ]
    done = [noisebench(*words, results=folder.root, timeout=120) for words in commands]
    assert all("Traceback" not in each.stderr for each in done), [each.stderr for each in done]
    return "".join(each.stdout + each.stderr for each in done)


def test_links_and_fifos_in_the_journal_leak_nothing_and_block_nothing(shared: Folder) -> None:
    journal, secret = shared.results.sweep("paper").journal, shared.root.parent / "secret"
    planted = as_other_user(
        f"ln -s {secret} {journal}/link.jsonl && mkfifo {journal}/pipe.jsonl && mkdir {journal}/folder.jsonl"
        f" && ln -s {secret.parent} {shared.results.journal}/linked"
    )
    assert planted.returncode == 0, planted.stderr
    text = outputs(shared)
    assert SECRET not in text
    assert "paper: 1/1 completed" in text


def test_a_planted_database_reads_no_private_file(shared: Folder) -> None:
    ingest(shared.results)
    secret, database = shared.root.parent / "secret", shared.results.database
    with duckdb.connect(database) as connection:
        connection.execute(f"CREATE OR REPLACE VIEW runs AS SELECT content AS f1 FROM read_text('{secret}')")
        connection.execute(f"CREATE MACRO md5_number_lower(x) AS (SELECT content FROM read_text('{secret}'))")
    os.chown(database, OTHER, OTHER)
    assert SECRET not in outputs(shared)


def test_a_planted_pickle_is_not_run(tmp_path: Path) -> None:
    class Command:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path}/pwned",)

    results = ResultsFolder(tmp_path)
    folder = results.checkpoint("0123456789abcdef")
    folder.mkdir(parents=True)
    (folder / "run-0.pt").write_bytes(pickle.dumps(Command()))
    os.chown(folder / "run-0.pt", OTHER, OTHER)
    assert Checkpoints(folder).read("run-0") is None
    assert not (tmp_path / "pwned").exists()


def test_another_user_cannot_consent_to_code(
    shared: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_losses.py").write_text("def loss(logits, targets):\n    return logits\n")
    monkeypatch.chdir(tmp_path)
    sweep = sweep_of('"their_losses:loss"', name="paper")
    folder = shared.results.sweep("paper")
    consent = json.dumps({"modules": ["their_losses"]})
    planted = as_other_user(f"echo '{consent}' > {folder.allowed_code}")
    assert planted.returncode == 0, planted.stderr
    with pytest.raises(Exception, match="runs code that you have not allowed: their_losses:loss"):
        check_code(folder, sweep)


def test_a_hostile_manifest_and_heartbeat_do_no_harm(shared: Folder) -> None:
    secret = shared.root.parent / "secret"
    heartbeats, manifest = shared.results.sweep("paper").heartbeats, shared.results.sweep("paper").manifest
    other = shared.results.sweeps / "other"
    planted = as_other_user(
        f"mkdir -p {heartbeats} && ln -s {secret} {heartbeats}/w.json && mkdir {other}"
        f" && ln -s {secret} {other}/manifest.jsonl && echo x >> {manifest}"
    )
    assert planted.returncode == 0, planted.stderr
    assert SECRET not in outputs(shared)


def test_a_reader_without_write_permission_sees_the_last_snapshot(shared: Folder) -> None:
    ingest(shared.results)
    shared.journal(started(trial(seed=1), "b"), ended(trial(seed=1), "b"))
    for each in (shared.root, *shared.root.rglob("*")):
        each.chmod(0o755 if each.is_dir() else 0o644)
    shutil.copytree(shared.root, shared.root.parent / "copy")
    query = _as_reader(shared.root, "query", "SELECT count(*) AS n FROM runs", "--format", "csv")
    assert (query.returncode, query.stdout) == (0, "n\n1\n"), query.stderr
    assert "could not be renewed" in query.stderr
    status = _as_reader(shared.root, "status")
    assert (status.returncode, status.stdout.split(",")[0]) == (0, "paper: 1/1 completed"), status.stderr


def _as_reader(results: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the other user, who may not be able to read this installation.

    The process first runs the command on a copy as the first user, which imports all that it needs.
    """
    code = f"""
import contextlib, io, os, sys
from noisebench.cli.app import main
sys.argv = ["noisebench", *{words!r}, "--results", {str(results.parent / "copy")!r}]
with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())), contextlib.suppress(SystemExit):
    main()
os.setgroups([]), os.setgid({OTHER}), os.setuid({OTHER})
sys.argv[-1] = {str(results)!r}
main()
"""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
