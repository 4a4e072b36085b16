"""A submission asks for no more workers than it can fill, under names of its own."""

from dataclasses import replace
from pathlib import Path

import pytest

from noisebench.records.folders import ResultsFolder
from noisebench.slurm.registry import remember, results_of
from noisebench.slurm.site import Site, parse_site
from noisebench.slurm.submission import Unit, job_name, submission_for, unit_of, workers_for
from tests.trials import sweep_of

RESULTS = ResultsFolder(Path("/shared/results"))


def site_of(worker: str, more: str = "") -> Site:
    return parse_site(
        f"site: x\ndriver: {{minutes: 60}}\nworkers: {{minutes: 30, {worker}}}\n{more}", "x.yaml"
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


POOLS = """\
site: x
driver: {minutes: 60}
workers:
  - {minutes: 30, count: 2, cpus: 16, memory_gb: 64, gpu_request: "--gres=gpu:v100:4"}
  - {minutes: 30, count: 3, cpus: 32, memory_gb: 100, gpu_request: "--gres=gpu:a100:2", trials_factor: 3}
"""


@pytest.mark.parametrize(("seeds", "workers"), [(1, 1), (8, 2), (9, 3), (14, 3), (15, 4), (99, 5)])
def test_pools_are_as_many_as_the_trials_can_fill(seeds: int, workers: int) -> None:
    trials = sweep_of(seeds=str(seeds)).trials()
    assert workers_for(list(trials), parse_site(POOLS, "x.yaml")) == workers


def test_a_place_has_what_every_pool_can_give() -> None:
    # Four places on the first pool, six on the second: 4 and 5.3 cores, 16 and 16.7 GiB each.
    assert unit_of(parse_site(POOLS, "x.yaml")) == Unit(cpus=16.0, gpus=4, memory_mb=4 * 16 * 1024)
    # One place of 3 GiB on the first pool, four of 1.25 GiB on the second, each without Ray's own GiB.
    pools = """
  - {minutes: 30, count: 1, cpus: 1, memory_gb: 4, gpu_request: "--gres=gpu:v100:1"}
  - {minutes: 30, count: 1, cpus: 2, memory_gb: 6, gpu_request: "--gres=gpu:v100:2", trials_factor: 2}
"""
    small = unit_of(parse_site(POOLS[: POOLS.index("workers:")] + "workers:" + pools, "x.yaml"))
    assert small.memory_mb == 1024 + 1280
    without = POOLS.replace("memory_gb: 100, ", "")
    assert unit_of(parse_site(without, "x.yaml")).memory_mb is None


def test_the_unit_of_workers_without_gpus_is_a_core() -> None:
    unit = unit_of(site_of("count: 1, cpus: 8, memory_gb: 16"))
    assert unit == Unit(cpus=8.0, gpus=0, memory_mb=16 * 1024)


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
