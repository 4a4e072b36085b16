"""How often a command reads the journal into the database."""

import shutil
from pathlib import Path
from unittest.mock import patch

import pytest

from noisebench.records import attempts
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter
from noisebench.store.ingest import read_so_far
from tests.command import noisebench_here
from tests.trials import sweep_of, sweep_text


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two sweeps, of which the first has run."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "first.yaml").write_text(sweep_text(name="first"))
    (folder / "second.yaml").write_text(sweep_text(name="second", seeds="2"))
    assert ingests(folder, "run", "first.yaml", "--inline") == 2
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(finished, tmp_path / "copy", copy_function=shutil.copy2))


def ingests(folder: Path, *arguments: str) -> int:
    """Run a command in this process; return how often it read the journal: each ingest asks once how far."""
    with patch("noisebench.store.ingest.read_so_far", wraps=read_so_far) as counted:
        done = noisebench_here(*arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return counted.call_count


@pytest.mark.slow
def test_a_run_ingests_at_its_start_and_after_its_trials(folder: Path) -> None:
    assert ingests(folder, "run", "second.yaml", "--inline") == 2
    assert ingests(folder, "run", "second.yaml", "--inline") == 1  # nothing was pending
    assert ingests(folder, "run", "second.yaml", "--inline", "--block", "grid") == 1


@pytest.mark.slow
def test_a_run_ingests_once_more_only_if_a_killed_run_left_attempts_without_an_end(folder: Path) -> None:
    (trial, _) = sweep_of(name="second", seeds="2").trials()
    with JournalWriter(ResultsFolder(folder / "results").sweep("second").journal, "host") as journal:
        journal.append(attempts.started("a" * 32, "second", trial, "dead", "cpu"))
    assert ingests(folder, "run", "second.yaml", "--inline") == 3
    assert ingests(folder, "resume", "second") == 1


@pytest.mark.slow
def test_every_other_command_ingests_once_however_many_sweeps_there_are(folder: Path) -> None:
    assert ingests(folder, "run", "second.yaml", "--inline") == 2
    trial_id = next(sweep_of(name="first").trials()).trial_id
    reading = ("status", "status first", "plan second.yaml", "failures first", f"show {trial_id}", "schema")
    for command in (*reading, "clean", "query --named progress", "ingest"):
        assert (command, ingests(folder, *command.split())) == (command, 1)
