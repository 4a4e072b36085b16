"""Sweeps submitted to a real Slurm: results as from one machine, sweeps apart, strangers refused."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from noisebench.store.query import query
from noisebench.trial.layout import ResultsFolder
from tests.command import noisebench
from tests.slurm.devcluster import Devcluster
from tests.trials import sweep_text

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

SITE = """\
site: small
signal_seconds: 30
driver: {cpus: 1, memory_gb: 3, minutes: 30}
worker: {cpus: 1, memory_gb: 4, minutes: 30, count: 2, gpu_request: "--gres=gpu:v100:1"}
"""
NUMBERS = "SELECT * EXCLUDE (attempt_id, seconds, ended_at, trial_key) FROM results ORDER BY trial_id"
# What a client without the token, on the head's own node, gets to see of its Ray.
STRANGER = "import ray, sys; ray.init(address=sys.argv[1], _node_ip_address=sys.argv[1].split(':')[0])"
WAIT_SECONDS = 300


def numbers(results: Path) -> list[tuple[Any, ...]]:
    return query(ResultsFolder(results), NUMBERS).rows()


@pytest.fixture(autouse=True)
def _on_the_cluster(cluster: Devcluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in cluster.environment.items():
        monkeypatch.setenv(key, value)


def submit(folder: Path, name: str, **parts: str) -> subprocess.CompletedProcess[str]:
    (folder / "site.yaml").write_text(SITE)
    (folder / f"{name}.yaml").write_text(sweep_text("[CE, {name: BL, gamma: 0.4}]", name=name, **parts))
    return noisebench("submit", f"{name}.yaml", "--site", "site.yaml", cwd=folder)


def jobs_of(cluster: Devcluster, name: str) -> list[str]:
    lines = cluster.run("squeue", "--noheader", "--array", "--format=%j").splitlines()
    return [line for line in lines if line.startswith(f"noisebench-{name}-")]


def await_end(cluster: Devcluster, name: str) -> None:
    cluster.await_that(lambda: not jobs_of(cluster, name), f"no job of {name} is left", WAIT_SECONDS)


def rays_processes(cluster: Devcluster) -> list[str]:
    return [line for line in cluster.processes() if "ray" in line]


def test_two_sweeps_at_once_equal_those_of_one_machine(cluster: Devcluster, tmp_path: Path) -> None:
    first = submit(tmp_path, "first", seeds="2")
    second = submit(tmp_path, "second", seeds="[2, 3]")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert [line.split()[0] for line in first.stdout.splitlines()] == ["driver", "standby", "workers"]
    again = noisebench("submit", "first.yaml", "--site", "site.yaml", cwd=tmp_path)
    assert again.returncode == 2
    assert "sweep 'first' is" in again.stderr
    await_end(cluster, "first")
    await_end(cluster, "second")
    assert rays_processes(cluster) == []
    for name in ("first", "second"):
        alone = noisebench("run", f"{name}.yaml", "--inline", "--results", f"{name}-alone", cwd=tmp_path)
        assert alone.returncode == 0, alone.stderr
    found = numbers(tmp_path / "results")
    assert len(found) == 8
    expected = numbers(tmp_path / "first-alone") + numbers(tmp_path / "second-alone")
    assert found == sorted(expected, key=lambda row: row[0])
    ended = query(
        ResultsFolder(tmp_path / "results"), "SELECT sweep, status, count(*) FROM attempts GROUP BY ALL"
    )
    assert sorted(ended.rows()) == [("first", "completed", 4), ("second", "completed", 4)]
    done = noisebench("submit", "first.yaml", "--site", "site.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing is pending\n")


def test_who_has_no_token_is_refused(cluster: Devcluster, tmp_path: Path) -> None:
    assert submit(tmp_path, "guarded", seeds="20").returncode == 0
    private = tmp_path / "results/sweeps/guarded/slurm"
    assert (private / "private/token").stat().st_mode & 0o777 == 0o600
    assert (private / "private").stat().st_mode & 0o777 == 0o700
    head = private / "head.json"
    cluster.await_that(head.exists, "the head is published", WAIT_SECONDS)
    address = json.loads(head.read_text())["address"]
    running = ("squeue", "--noheader", "--states=RUNNING", "--format=%j %N")
    jobs = dict(line.split() for line in cluster.run(*running).splitlines())
    node = next(node for name, node in jobs.items() if name.endswith("-driver"))
    script = tmp_path / "stranger.py"
    script.write_text(STRANGER)
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(private / "private/token")}
    refused, admitted = (
        subprocess.run(
            ["srun", f"--nodelist={node}", "--mem=500M", sys.executable, script, address],
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        for more in ({}, token)
    )
    assert refused.returncode != 0
    assert "Failed to connect to Ray cluster" in refused.stderr
    assert admitted.returncode == 0, admitted.stderr
    cluster.run("scancel", f"--name={','.join(jobs_of(cluster, 'guarded'))}")
    await_end(cluster, "guarded")
