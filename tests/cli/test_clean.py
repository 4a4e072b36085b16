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


@pytest.mark.slow
def test_a_preview_removes_nothing(results: ResultsFolder) -> None:
    assert kinds(results) == [("checkpoints", 1), ("logs", 1)]
    assert kinds(results) == [("checkpoints", 1), ("logs", 1)]
    assert kinds(results, "--only", "scores") == [("scores", 1)]
    assert kinds(results, "--only", "evidence") == []
    evidence = results.evidence(next(sweep_of(name="demo").trials()).evidence_id)
    evidence.parent.mkdir(exist_ok=True)
    evidence.touch()
    assert kinds(results, "--only", "evidence") == [("evidence", 1)]


@pytest.mark.slow
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


def test_the_logs_of_slurm_jobs_are_logs(results: ResultsFolder) -> None:
    jobs = results.sweep("demo").slurm / "jobs"
    jobs.mkdir(parents=True)
    for name in ("7_0_log.out", "7_0_log.err", "7_submission.sh"):
        (jobs / name).write_text("what a job printed\n")
    assert kinds(results, "--only", "logs", "--yes") == [("logs", 3)]
    assert [path.name for path in jobs.iterdir()] == ["7_submission.sh"]


@pytest.mark.parametrize("trial_id", ["../private/embeddings", "/{private}/embeddings", "**", 5, "a\0b"])
def test_a_manifest_leads_to_no_file_outside(results: ResultsFolder, trial_id: object) -> None:
    private = results.root / "private"
    (private / "embeddings").mkdir(parents=True)
    (private / "embeddings.parquet").write_text("mine")
    if isinstance(trial_id, str):
        trial_id = trial_id.replace("/{private}", str(private))
    manifest = results.sweep("demo").manifest
    line = {**json.loads(manifest.read_text().splitlines()[0]), "trial_id": trial_id}
    manifest.write_text(json.dumps(line) + "\n")
    for kind in ("scores", "checkpoints", "evidence"):
        assert kinds(results, "--only", kind, "--yes") == []
    assert (private / "embeddings").is_dir()
    assert (private / "embeddings.parquet").read_text() == "mine"


@pytest.mark.parametrize("linked", ["sweeps/demo/logs/..", "checkpoints", "scores/*"])
def test_nothing_is_removed_through_a_linked_folder(results: ResultsFolder, linked: str) -> None:
    (folder,) = results.root.glob(linked)
    folder, outside = folder.resolve(), results.root.parent / "outside"
    folder.rename(outside)
    folder.symlink_to(outside)
    before = sorted(outside.rglob("*"))
    done = noisebench_here(
        "clean",
        "demo",
        "--only",
        "scores",
        "--only",
        "checkpoints",
        "--only",
        "logs",
        "--yes",
        cwd=results.root.parent,
    )
    assert (done.returncode, "Not a directory" in done.stderr) == (3, True), done.stderr
    assert sorted(outside.rglob("*")) == before


def test_a_sweep_whose_lock_was_deleted_is_left_alone(results: ResultsFolder) -> None:
    with sweep_lock(results.sweep("demo")):
        results.sweep("demo").lock.unlink()
        refused = noisebench_here("clean", "demo", "--yes", cwd=results.root.parent)
    assert (refused.returncode, "sweep 'demo' is running" in refused.stderr) == (2, True)


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
