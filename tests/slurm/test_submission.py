"""A submission asks for no more workers than it can fill, under names of its own."""

from dataclasses import replace
from pathlib import Path

import pytest

from noisebench.records.folders import ResultsFolder
from noisebench.slurm.registry import remember, results_of
from noisebench.slurm.site import Site, parse_site
from noisebench.slurm.submission import job_name, submission_for
from tests.trials import sweep_of

RESULTS = ResultsFolder(Path("/shared/results"))


def site_of(worker: str, more: str = "") -> Site:
    return parse_site(
        f"site: x\ndriver: {{minutes: 60}}\nworker: {{minutes: 30, {worker}}}\n{more}", "x.yaml"
    )


@pytest.mark.parametrize(
    ("worker", "more", "seeds", "workers"),
    [
        ("count: 9, cpus: 4", "", 8, 2),
        ("count: 9, cpus: 4", "", 9, 3),
        ("count: 2, cpus: 4", "", 9, 2),
        ("count: 9, gpu_request: --gres=gpu:4", "", 9, 3),
        ("count: 9, gpu_request: --gres=gpu:4", "trials_per_gpu: {small-cnn: 2}", 9, 2),
        ("count: 9, gpu_request: --gpus-per-node=1", "trials_per_gpu: {resnet-34: 9}", 1, 1),
    ],
)
def test_workers_are_as_many_as_the_trials_can_fill(worker: str, more: str, seeds: int, workers: int) -> None:
    trials = sweep_of(seeds=str(seeds)).trials()
    assert submission_for(RESULTS.sweep("test"), trials, site_of(worker, more)).workers == workers


def test_sweeps_of_one_name_in_two_folders_have_jobs_of_their_own() -> None:
    here = submission_for(RESULTS.sweep("test"), sweep_of().trials(), site_of("count: 1"))
    there = replace(here, folder=ResultsFolder(Path("/shared/others")).sweep("test"))
    assert here.job_name("driver") == "noisebench-test-db4d08-driver"
    assert there.job_name("driver") != here.job_name("driver")
    assert here.job_name("worker") != here.job_name("driver")
    assert here.messages.jobs_folder == Path("/shared/results/sweeps/test/slurm/jobs")


def test_another_path_to_the_same_folder_gives_the_same_names(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "results")
    names = {job_name(ResultsFolder(tmp_path / name).sweep("test"), "driver") for name in ("results", "link")}
    assert len(names) == 1


def test_a_submitted_sweep_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    results = ResultsFolder(tmp_path / "results")
    assert results_of("test") is None
    remember(results.sweep("test"))
    assert results_of("test") is None, "the folder is gone"
    results.sweep("test").slurm.mkdir(parents=True)
    assert results_of("test") == results
