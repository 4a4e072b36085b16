"""A broken environment is exit code 3 with one line, and costs no result."""

import resource
import subprocess
from functools import partial
from pathlib import Path

import pytest

from noisebench.records.folders import ResultsFolder
from tests.command import COMMAND, noisebench_here
from tests.trials import sweep_text

LIMIT = 64 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the results of a completed sweep, without its database."""
    (tmp_path / "sweep.yaml").write_text(sweep_text(name="demo"))
    assert noisebench_here("run", "sweep.yaml", "--inline", cwd=tmp_path).returncode == 0
    ResultsFolder(tmp_path / "results").database.unlink()
    return tmp_path


@pytest.mark.parametrize(
    "arguments", [["run", "sweep.yaml", "--inline"], ["resume", "demo", "--inline"]], ids=lambda each: each[0]
)
def test_without_room_for_the_database_no_completed_trial_is_repeated(
    folder: Path, arguments: list[str]
) -> None:
    # The kernel refuses files that are as large as a database, as a full TMPDIR does.
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (LIMIT, LIMIT)),
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert len(done.stderr.splitlines()) == 1
    assert "the database could not be updated" in done.stderr
    assert "1/1 completed" in noisebench_here("status", cwd=folder).stdout
    lines = [path.read_text() for path in (folder / "results/journal/demo").glob("*.jsonl")]
    assert sum(text.count('"event":"started"') for text in lines) == 1


@pytest.mark.parametrize("command", [["run", "sweep.yaml", "--inline"], ["status"], ["ingest"]])
def test_a_folder_in_place_of_a_journal_file(folder: Path, command: list[str]) -> None:
    (folder / "results/journal/demo/x.jsonl").mkdir()
    done = noisebench_here(*command, cwd=folder)
    assert done.returncode in (0, 3)
    assert "Traceback" not in done.stderr
    if done.returncode == 3:
        assert len(done.stderr.splitlines()) == 1
