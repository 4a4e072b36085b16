"""A broken environment is exit code 3 with one line, and no result is lost."""

import resource
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from noisebench.records.folders import ResultsFolder
from tests.command import COMMAND, noisebench_here
from tests.trials import sweep_text

LIMIT = 64 * 1024


def run_with_small_files(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command for which the kernel refuses files as large as a database, as a full TMPDIR does."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (LIMIT, LIMIT)),
    )


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of a completed sweep, without its database."""
    folder = tmp_path_factory.mktemp("completed")
    (folder / "sweep.yaml").write_text(sweep_text(name="demo"))
    assert noisebench_here("run", "sweep.yaml", "--inline", cwd=folder).returncode == 0
    ResultsFolder(folder / "results").database.unlink()
    return folder


@pytest.fixture
def folder(completed: Path, tmp_path: Path) -> Path:
    """A copy of that folder, which the test may change."""
    return Path(shutil.copytree(completed, tmp_path / "copy"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["run", "sweep.yaml", "--inline"], id="run"),
        pytest.param(["resume", "demo", "--inline"], id="resume"),
    ],
)
def test_without_room_for_the_database_no_completed_trial_is_repeated(
    folder: Path, arguments: list[str]
) -> None:
    done = run_with_small_files(folder, *arguments)
    assert (done.returncode, done.stdout) == (3, "")
    assert len(done.stderr.splitlines()) == 1
    assert "the database could not be updated" in done.stderr
    assert "1/1 completed" in noisebench_here("status", cwd=folder).stdout
    lines = [path.read_text() for path in (folder / "results/journal/demo").glob("*.jsonl")]
    assert sum(text.count('"event":"started"') for text in lines) == 1


@pytest.mark.slow
def test_status_warns_if_it_cannot_count_what_was_recorded_last(folder: Path) -> None:
    assert noisebench_here("status", cwd=folder).returncode == 0  # makes a database
    (folder / "sweep.yaml").write_text(sweep_text(name="demo", seeds="2"))
    limited = run_with_small_files(folder, "run", "sweep.yaml", "--inline")
    assert limited.returncode == 3
    status = run_with_small_files(folder, "status")
    assert status.returncode == 0
    assert "warning: the counts are not up to date" in status.stderr


@pytest.mark.parametrize("command", [["run", "sweep.yaml", "--inline"], ["status"], ["ingest"]])
def test_a_folder_in_place_of_a_journal_file(folder: Path, command: list[str]) -> None:
    (folder / "results/journal/demo/x.jsonl").mkdir()
    done = noisebench_here(*command, cwd=folder)
    assert done.returncode in (0, 3)
    assert "Traceback" not in done.stderr
    if done.returncode == 3:
        assert len(done.stderr.splitlines()) == 1
