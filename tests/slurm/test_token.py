"""Ray's token of a submitted sweep: requests without it are refused, and nobody else can read it.

With grpcio installed, the head's node has one more port to ask: that of Ray's client server.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from noisebench.slurm.messages import Messages
from tests.slurm.devcluster import Devcluster
from tests.slurm.ports import ADMISSIONS, REFUSALS, answers_of
from tests.slurm.submitted import TWO_WORKERS, WAIT_SECONDS, Submitted

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

# They outlast the tests on any machine, and are cancelled then.
TRIALS = 200
# Driver and worker have a node each.
APART = """\
site: apart
signal_seconds: 30
driver: {cpus: 1, memory_gb: 3, minutes: 120, sbatch_extra: {nodelist: node1}}
workers:
  sbatch_extra: {nodelist: node2}
  gpu_request: --gres=gpu:v100:1
  cpus: 1
  memory_gb: 4
  minutes: 120
  count: 1
"""
# A client on the head's own node.
STRANGER = "import ray, sys; ray.init(address=sys.argv[1], _node_ip_address=sys.argv[1].split(':')[0])"


@pytest.fixture
def sweep(cluster: Devcluster, tmp_path: Path) -> Iterator[Submitted]:
    """A sweep of which no job is left after the test, however that ends."""
    sweep = Submitted(cluster, tmp_path, "guarded")
    yield sweep
    if sweep.jobs():
        sweep.must("cancel", "guarded")


def test_requests_without_the_token_are_refused(
    cluster: Devcluster, tmp_path: Path, sweep: Submitted
) -> None:
    sweep.send_slow(TWO_WORKERS, trials=TRIALS, seconds=30)
    private = tmp_path / "results/sweeps/guarded/slurm"
    assert (private / "token").stat().st_mode & 0o777 == 0o600
    assert private.stat().st_mode & 0o777 == 0o700
    head = private / "head.json"
    cluster.await_that(head.exists, "the head is published", WAIT_SECONDS)
    address = json.loads(head.read_text())["address"]
    node = cluster.job(sweep.job("driver"))["BatchHost"]
    script = tmp_path / "stranger.py"
    script.write_text(STRANGER)
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(private / "token")}
    refused, admitted = (
        subprocess.run(
            ["srun", f"--nodelist={node}", "--mem=500M", sys.executable, script, address],
            env={**os.environ, **cluster.environment, **more},
            capture_output=True,
            text=True,
            timeout=360,
            check=False,
        )
        for more in ({}, token)
    )
    assert refused.returncode != 0
    assert "Failed to connect to Ray cluster" in refused.stderr
    assert admitted.returncode == 0, admitted.stderr
    if cluster.has_networks:
        ports = guarded_ports(cluster, node, private / "token")
        assert len(ports) >= 4, "the head's, the driver's own and two of its raylet"
        assert any("gcs_server" in port for port in ports)
    sweep.must("cancel", "guarded")
    assert sweep.jobs() == {}
    sweep.await_no_process()


def test_the_token_on_a_workers_node(cluster: Devcluster, tmp_path: Path, sweep: Submitted) -> None:
    sweep.send_slow(APART, trials=TRIALS, seconds=30)
    sweep.await_running("node2")
    file = Messages(sweep.results.sweep("guarded")).token
    token = file.read_bytes()
    disk = cluster.folder / "spool/disk2" if cluster.has_networks else Path(tempfile.gettempdir())
    places = (tmp_path, disk, Path.home() / ".ray")
    assert files_with(token, *places) == [file]
    assert (file.stat().st_mode & 0o777, file.stat().st_uid) == (0o600, os.getuid())
    commands = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert not any(token.decode() in command for command in commands), "no command line shows it"
    if cluster.has_networks:
        assert {folder.stat().st_mode & 0o777 for folder in disk.glob("noisebench-*")} == {0o700}
        assert len(guarded_ports(cluster, "node2", file)) >= 3, "those of a raylet and of a trial's process"
    sweep.hasten()
    sweep.must("cancel", "guarded", "--drain")
    # What is handed out and does not begin is recorded by the driver.
    assert {attempt["status"] for attempt in sweep.attempts(host="node2")} == {"completed"}
    assert files_with(token, *places) == []


def guarded_ports(cluster: Devcluster, node: str, token: Path) -> list[str]:
    """Return the ports of a node, each with its process; all refuse requests without the token.

    With it the head's and the raylet's answer.
    """
    answers = answers_of(cluster, node)
    for port, codes in answers.items():
        assert codes & REFUSALS, f"{port} refuses nothing: {codes}"
        assert not codes & ADMISSIONS, f"{port} answers without a token: {codes}"
    with_token = answers_of(cluster, node, token.read_text())
    assert any('"raylet"' in port for port in with_token)
    for port, codes in with_token.items():
        assert not codes & REFUSALS, f"{port} refuses the token: {codes}"
        if "gcs_server" in port or '"raylet"' in port:
            assert codes & ADMISSIONS, f"{port} gives the token no answer: {codes}"
    return list(answers)


def files_with(secret: bytes, *folders: Path) -> list[Path]:
    """Return the files below some folders that contain a secret."""
    found = []
    # Folders and files of Ray may be removed meanwhile: `rglob` would raise an error.
    inside = (Path(top, name) for folder in folders for top, _, names in os.walk(folder) for name in names)
    for path in inside:
        with contextlib.suppress(OSError):
            if path.is_file() and secret in path.read_bytes():
                found.append(path)
    return found
