"""`noisebench clean` lists or removes what ended sweeps no longer need, and nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from noisebench.records.folders import ResultsFolder
from noisebench.records.lock import sweep_lock
from tests.command import noisebench_here
from tests.trials import sweep_of, sweep_text


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of one trial and its results."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "sweep.yaml").write_text(sweep_text(name="demo"))
    assert noisebench_here("run", "sweep.yaml", "--inline", cwd=folder).returncode == 0
    return folder


@pytest.fixture
def results(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ResultsFolder:
    """Results of a sweep of two trials of which one has completed; both have left a checkpoint."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "sweep.yaml").write_text(sweep_text(name="demo", seeds="2"))
    results = ResultsFolder(tmp_path / "results")
    lines = results.sweep("demo").manifest.read_text()
    completed, pending = sweep_of(name="demo", seeds="2").trials()
    line = json.loads(lines)
    more = {**line, "trial_id": pending.trial_id, "config": pending.as_fields(), "seeds_asked": 2}
    results.sweep("demo").manifest.write_text(lines + json.dumps(more) + "\n")
    for trial in (completed, pending):
        folder = results.checkpoint(trial.trial_id)
        folder.mkdir(parents=True)
        (folder / "fold-0.pt").write_bytes(b"x" * 5000)
    results.sweep("demo").logs.mkdir(exist_ok=True)
    (results.sweep("demo").logs / "host-1.log").write_text("what was printed\n")
    return results


def kinds(results: ResultsFolder, *arguments: str) -> list[tuple[str, int]]:
    done = noisebench_here("clean", "demo", "--json", *arguments, cwd=results.root.parent)
    assert done.returncode == 0, done.stderr
    items = json.loads(done.stdout)["items"]
    return [(item["kind"], item["paths"]) for item in items if item["sweep"] == "demo"]


def test_a_preview_removes_nothing(results: ResultsFolder) -> None:
    assert kinds(results) == [("checkpoints", 1), ("logs", 1)]
    assert kinds(results) == [("checkpoints", 1), ("logs", 1)]
    assert kinds(results, "--only", "scores") == [("scores", 1)]
    assert kinds(results, "--only", "evidence") == []
    evidence = results.evidence(next(sweep_of(name="demo").trials()).evidence_id)
    evidence.parent.mkdir(exist_ok=True)
    evidence.touch()
    assert kinds(results, "--only", "evidence") == [("evidence", 1)]


def test_the_checkpoints_of_pending_trials_and_the_scores_stay(results: ResultsFolder) -> None:
    completed, pending = sweep_of(name="demo", seeds="2").trials()
    kinds(results, "--yes")
    assert not results.checkpoint(completed.trial_id).exists()
    assert results.checkpoint(pending.trial_id).exists()
    assert results.scores(completed.trial_id).exists()
    assert not results.sweep("demo").logs.exists()
    assert kinds(results) == []
    status = noisebench_here("status", "demo", "--json", "--disk", cwd=results.root.parent)
    state = json.loads(status.stdout)
    assert state["completed"] == 1
    assert state["disk_bytes"]["checkpoints"] >= 5000
    assert state["disk_bytes"]["logs"] == 0
    assert state["disk_bytes"]["evidence"] == 0


def test_a_running_sweep_is_left_alone(results: ResultsFolder) -> None:
    with sweep_lock(results.sweep("demo")):
        done = noisebench_here("clean", "demo", "--yes", cwd=results.root.parent)
        everything = noisebench_here("clean", "--yes", cwd=results.root.parent)
    assert (done.returncode, everything.returncode) == (2, 0)
    assert "sweep 'demo' is running" in done.stderr
    assert results.sweep("demo").logs.exists()


def test_an_unknown_kind_is_an_input_error(results: ResultsFolder) -> None:
    done = noisebench_here("clean", "--only", "records", cwd=results.root.parent)
    assert done.returncode == 2
    assert "known: checkpoints, logs, scratch, scores, evidence" in done.stderr
