"""The doctor on a real Slurm: all findings at once, and no job is left."""

import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.command import noisebench
from tests.slurm.devcluster import Devcluster
from tests.slurm.test_array_tasks import container_without_slurm
from tests.trials import sweep_text

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

FINE = """\
site: fine
driver: {cpus: 1, memory_gb: 1, minutes: 30}
workers: {cpus: 2, memory_gb: 2, minutes: 30, count: 2}
"""
BROKEN = """\
site: broken
signal_seconds: 20
account: physics
driver: {partition: mian, cpus: 1, minutes: 30}
workers: {partition: main, cpus: 2, minutes: 1, count: 1, gpu_request: "--gres=gpu:a100:1"}
limits: {array_size: 500000}
"""
# What only the nodes show: the GPUs exist in name only.
NODES = """\
site: nodes
interface: ib7
driver: {cpus: 1, memory_gb: 1, minutes: 30}
workers: {cpus: 1, memory_gb: 2, minutes: 30, count: 1, gpu_request: "--gres=gpu:v100:1"}
"""
# An image without Slurm's commands.
CONTAINER = """\
site: container
python: {python}
container: {{image: image.sif, command: {command}}}
driver: {{cpus: 1, memory_gb: 1, minutes: 30}}
workers: {{cpus: 1, memory_gb: 2, minutes: 30, count: 1}}
"""
# An interface that each node has, and at which no other node reaches it.
UNREACHABLE = """\
site: unreachable
interface: lo
driver: {cpus: 1, memory_gb: 1, minutes: 30, sbatch_extra: {nodelist: node1}}
workers: {cpus: 1, memory_gb: 2, minutes: 30, count: 1, sbatch_extra: {nodelist: node2}}
"""


@pytest.fixture(autouse=True)
def _on_the_cluster(cluster: Devcluster, monkeypatch: pytest.MonkeyPatch) -> None:
    # The probes of driver and worker look for each other, so that both have to start at once.
    cluster.await_whole()
    cluster.await_quiet()
    for key, value in cluster.environment.items():
        monkeypatch.setenv(key, value)


def doctor(folder: Path, cluster: Devcluster, site: str, *options: str) -> CompletedProcess[str]:
    (folder / "site.yaml").write_text(site)
    done = noisebench("doctor", "--site", "site.yaml", *options, cwd=folder)
    names = ["squeue", "--noheader", "--format=%j"]  # of which squeue's own table shows eight letters
    cluster.await_that(lambda: "doctor" not in cluster.run(*names), "no probe is left", 30)
    assert not (folder / "results").exists()
    return done


def test_a_cluster_that_is_fine(cluster: Devcluster, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(sweep_text())
    done = doctor(tmp_path, cluster, FINE, "--spec", "sweep.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        "commands: ",
        "driver: ",
        "worker: ",
        "array: ",
        "time: ",
        "sbatch: Slurm would take the driver",
    ):
        assert f"ok      {line}" in done.stdout
    for role in ("driver", "worker"):
        looked = [line.split(": ")[1] for line in done.stdout.splitlines() if f"{role} on node" in line]
        own = {"driver": ["commands"], "worker": ["network"]}[role]
        rest = ["scratch", "lock", "python", "torch", "memory", "results", "clock", "data"]
        assert sorted(looked) == sorted(["address", *own, *rest])
    assert "the driver's node answers at" in done.stdout
    assert "a lock of another node is seen here" in done.stdout


def test_a_drafted_site_is_fine(cluster: Devcluster, tmp_path: Path) -> None:
    drafted = noisebench("site", "init", "--output", "drafted.yaml", cwd=tmp_path)
    assert drafted.returncode == 0, drafted.stderr
    text = (tmp_path / "drafted.yaml").read_text()
    assert len(text.splitlines()) <= 10
    again = noisebench("site", "init", "--output", "drafted.yaml", cwd=tmp_path)
    assert (again.returncode, "File exists" in again.stderr) == (2, True)
    # The GPUs of the devcluster exist in name only, which the probe would see.
    done = doctor(tmp_path, cluster, text, "--wait-minutes", "0")
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_problems_are_reported_at_once(cluster: Devcluster, tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(
        sweep_text(dataset="MNIST", training="{epochs: 100}", detector="none")
    )
    done = doctor(tmp_path, cluster, BROKEN, "--spec", "sweep.yaml")
    assert done.returncode == 3
    problems = [
        line.removeprefix("problem ") for line in done.stdout.splitlines() if line.startswith("problem")
    ]
    assert problems[0] == "driver: partition 'mian' is unknown; known: main, cheap, urgent"
    assert problems[1] == "worker: partition main has no node with 1 GPUs a100"
    assert problems[2].startswith("account: account 'physics' is not yours; yours: ")
    assert problems[3].startswith("array: arrays have at most ")
    assert [line.split(": ")[0] for line in problems[4:]] == ["time", "sbatch", "sbatch"]
    assert "correct `driver:` in the site" in done.stdout


def test_what_only_the_nodes_show(cluster: Devcluster, tmp_path: Path) -> None:
    done = doctor(tmp_path, cluster, NODES)
    assert done.returncode == 3
    problems = [line for line in done.stdout.splitlines() if line.startswith("problem")]
    assert [line.split(": ")[1] for line in problems] == ["address", "address", "torch"]
    assert "interface 'ib7' has no IPv4 address" in problems[0]
    assert "sees no GPU" in problems[2]


def test_the_probe_looks_inside_the_container(cluster: Devcluster, tmp_path: Path) -> None:
    site = CONTAINER.format(python=sys.executable, command=container_without_slurm(tmp_path))
    done = doctor(tmp_path, cluster, site)
    assert done.returncode == 3, done.stdout + done.stderr
    (problem,) = [line for line in done.stdout.splitlines() if line.startswith("problem")]
    assert problem.startswith("problem driver on node")
    assert "sbatch, squeue, scancel, scontrol: command not found; no standby can be queued" in problem
    assert "bind them with their configuration and munge into the container" in done.stdout
    # Those of the worker, which needs none of them, and the login node's own.
    assert "ok      worker on node" in done.stdout
    assert "ok      commands: " in done.stdout


def test_an_interface_at_which_no_other_node_reaches_the_driver(cluster: Devcluster, tmp_path: Path) -> None:
    if not cluster.has_networks:
        pytest.skip("the nodes have no networks of their own: only root can make them")
    done = doctor(tmp_path, cluster, UNREACHABLE)
    assert done.returncode == 3
    (problem,) = [line for line in done.stdout.splitlines() if line.startswith("problem")]
    assert "no connection to the driver's node, 127.0.0.1 port" in problem
    assert "choose another `interface:`" in done.stdout
