"""Workers that lose their node, their network or their job in the middle of a sweep: nothing is lost."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.slurm.devcluster import Devcluster
from tests.slurm.submitted import Submitted

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

# Long enough that the sweep outlasts the faults on any machine: 1,750 GPU-seconds on three GPUs.
TRIALS = 50
TRIAL_SECONDS = 35
# Ray's health checks keep their defaults: until it declares a node dead, half a minute may pass.
SITE = """\
site: small
signal_seconds: 30
driver: {cpus: 1, memory_gb: 3, minutes: 120, sbatch_extra: {nodelist: node4}}
workers:
  cpus: 4     # the whole node, so that each worker has one of its own
  memory_gb: 4
  minutes: 120
  count: 3
  gpu_request: --gres=gpu:v100:1
  exclude: node4
"""
Fate = dict[str, Any]


@pytest.fixture(scope="module")
def sweep(cluster: Devcluster, submitted: Callable[[str], Submitted]) -> Submitted:
    """A sweep on three workers, nodes 1 to 3, that goes on while its tests break things."""
    if not cluster.has_networks:
        pytest.skip("the nodes have no networks of their own: only root can make them")
    sweep = submitted("nodes")
    sweep.send_slow(SITE, TRIALS, TRIAL_SECONDS)
    for node in cluster.nodes[:3]:
        sweep.await_running(node)
    return sweep


def test_a_node_that_is_killed(cluster: Devcluster, sweep: Submitted) -> None:
    with sweep.held_attempt("node1") as attempt:
        cluster.must("kill-node", "1")
        try:
            assert fate(sweep, attempt) == ("interrupted", "node-lost")
        finally:
            cluster.must("start-node", "1")


def test_a_node_that_is_set_down(cluster: Devcluster, sweep: Submitted) -> None:
    with sweep.held_attempt("node2") as attempt:
        cluster.run("scontrol", "update", "NodeName=node2", "State=DOWN", "Reason=test")
        cluster.put_back("node2")
        assert fate(sweep, attempt)[0] == "interrupted"


def test_a_node_that_is_cut_off(cluster: Devcluster, sweep: Submitted) -> None:
    attempt = sweep.await_running("node3")
    worker = sweep.job("worker", "node3")
    cluster.must("cut-node", "3")
    try:
        cluster.await_that(lambda: "node3" not in sweep.jobs().get(worker, ""), "Slurm gives node3 up", 120)
        # Files are reached without the network here, so the trial may have ended all alone. Once the
        # link is back, Slurm cancels what still runs on the node.
        assert fate(sweep, attempt) in {("interrupted", "node-lost"), ("completed", None)}
    finally:
        cluster.must("join-node", "3")


def test_a_worker_that_is_cancelled(cluster: Devcluster, sweep: Submitted) -> None:
    with sweep.held_attempt("node1") as attempt:
        cluster.run("scancel", sweep.job("worker", "node1"))
        # Slurm may kill the worker before it has noted why it leaves.
        assert fate(sweep, attempt) in {("interrupted", "cancelled"), ("interrupted", "node-lost")}


def test_the_controller_is_away_when_the_driver_asks_it(cluster: Devcluster, sweep: Submitted) -> None:
    unknown = sweep.must("logs", "nodes", "--driver").count("the state of the jobs is unknown")
    cluster.must("stop-controller")
    try:
        cluster.await_that(
            lambda: (
                sweep.must("logs", "nodes", "--driver").count("the state of the jobs is unknown") > unknown
            ),
            "the driver has asked",
            180,
        )
        status = sweep.noisebench("status", "nodes")
        assert "unknown" in status.stderr
    finally:
        cluster.must("start-controller")
    before = len(sweep.attempts(status="completed"))
    cluster.await_that(lambda: len(sweep.attempts(status="completed")) > before, "trials go on", 120)


def test_every_trial_is_completed_and_none_has_failed(sweep: Submitted) -> None:
    sweep.hasten()
    sweep.await_end(1500)
    assert sweep.attempts(status="failed") == []
    completed = Counter(attempt["trial_id"] for attempt in sweep.attempts(status="completed"))
    assert len(completed) == TRIALS
    assert len(sweep.numbers()) == TRIALS
    assert sweep.noisebench("status", "nodes", "--json").stdout.count('"failed": 0') == 1


def fate(sweep: Submitted, attempt: Fate) -> tuple[str, str | None]:
    """Return how an attempt has ended, once it has."""
    ended = sweep.await_ended(attempt)
    return ended["status"], ended["error_kind"]
