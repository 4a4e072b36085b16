"""A first profile from what Slurm shows: short, valid, and within what the nodes have."""

import pytest

from noisebench.errors import EnvironmentFault
from noisebench.slurm.inventory import Associations, parse_nodes
from noisebench.slurm.job import gpus_of
from noisebench.slurm.site import parse_site
from noisebench.slurm.site_draft import draft_site, render_site
from tests.slurm.fake_slurm import VERSIONS, FakeSlurm

EXPECTED = """\
# From sinfo, scontrol and sacctmgr; slurm/sites/example-v100.yaml explains every field.
site: dev
account: lab   # yours: lab, physics
driver: {partition: long, cpus: 2, memory_gb: 4, minutes: 2880}   # other partitions: main
workers: {   # a node there has 40 cores, 375 GiB, gpu:v100:4(S:0-1)
  partition: main,
  gpu_request: "--gres=gpu:v100:4",   # all GPUs of a node
  cpus: 16, memory_gb: 64, minutes: 720, count: 8   # of jobs
}
# folders: {results: /shared/...}   # a file system that all nodes see, if not the current folder
"""


def test_the_whole_profile() -> None:
    assert draft_site("dev", "me", FakeSlurm("22.05").client()) == EXPECTED


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_a_valid_profile(version: str) -> None:
    site = parse_site(draft_site("dev", "me", FakeSlurm(version).client()), "x.yaml")
    assert gpus_of(site.workers[0]) == 4
    assert (site.workers[0].partition, site.driver.partition, site.account) == ("main", "long", "lab")


@pytest.mark.parametrize(
    ("lines", "worker", "driver"),
    [
        # One partition for all: the driver fits beside a worker.
        (["main*|infinite|gpu:v100:4|4|8000|up|3"], ("main", 4, 2, 7, 720), ("main", 2, 4, 2880)),
        # No GPU anywhere, little memory, short limits.
        (["cpu*|2:00:00|(null)|64|2000|up|2"], ("cpu", 0, 8, 1, 120), ("cpu", 2, 1, 120)),
        # Many small GPU nodes have more GPUs in all than one large one.
        (
            ["big|1-00:00:00|gpu:8|64|500000|up|1", "small|1-00:00:00|gpu:t4:2|16|64000|up|20"],
            ("small", 2, 8, 32, 720),
            ("big", 2, 4, 1440),
        ),
    ],
)
def test_what_the_nodes_have_is_not_exceeded(
    lines: list[str], worker: tuple[object, ...], driver: tuple[object, ...]
) -> None:
    site = parse_site(render_site("x", parse_nodes(lines), Associations(), 5001), "x.yaml")
    job = site.workers[0]
    assert (job.partition, gpus_of(job), job.cpus, job.memory_gb, job.minutes) == worker
    job = site.driver
    assert (job.partition, job.cpus, job.memory_gb, job.minutes) == driver


def test_a_small_limit_of_arrays_is_kept() -> None:
    nodes = parse_nodes(["main*|infinite|gpu:4|4|8000|up|3"])
    assert parse_site(render_site("x", nodes, Associations(), 501), "x.yaml").limits.array_size == 500


def test_a_name_that_no_site_may_have_is_changed() -> None:
    nodes = parse_nodes(["main*|infinite|gpu:4|4|8000|up|3"])
    assert parse_site(render_site("my cluster (2)", nodes, Associations(), None), "x").site == "my-cluster--2"


def test_a_cluster_without_partitions() -> None:
    fake = FakeSlurm()
    fake.fail("sinfo", "no partitions", times=1)
    with pytest.raises(EnvironmentFault, match="no partitions"):
        draft_site("x", "me", fake.client())
