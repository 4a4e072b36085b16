"""Workers told to leave, by their time limit or for a job of higher priority: they drain and come back."""

from collections import Counter

import pytest

from tests.slurm.devcluster import Devcluster
from tests.slurm.submitted import Submitted

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

TRIALS = 14
SITE = """\
site: small
signal_seconds: 30
driver: {{cpus: 1, memory_gb: 3, minutes: 30, exclude: node2}}
worker: {{cpus: 1, memory_gb: 4, minutes: {minutes}, count: 1, gpu_request: "--gres=gpu:v100:1", {more}}}
"""


def submitted(
    cluster: Devcluster, tmp_path_factory: pytest.TempPathFactory, name: str, site: str
) -> Submitted:
    sweep = Submitted(cluster, tmp_path_factory.mktemp(name), name)
    sweep.send_slow(site, TRIALS, seconds=4)
    return sweep


@pytest.fixture(scope="module")
def sweeps(cluster: Devcluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Submitted, Submitted]:
    """Two sweeps side by side: one whose worker has two minutes at a time, one whose worker is preempted."""
    short = submitted(cluster, tmp_path_factory, "short", SITE.format(minutes=2, more=""))
    yielding = submitted(
        cluster, tmp_path_factory, "yielding", SITE.format(minutes=30, more="sbatch_extra: {nodelist: node2}")
    )
    return short, yielding


def test_a_worker_makes_room_for_a_job_of_higher_priority(
    cluster: Devcluster, sweeps: tuple[Submitted, Submitted]
) -> None:
    _, sweep = sweeps
    attempt = sweep.await_running("node2")
    worker = sweep.job("worker", "node2")
    urgent = cluster.submit("sleep 5", "--partition=urgent", "--nodelist=node2", "--exclusive", "--time=5")
    cluster.await_job(urgent, 120, JobState="COMPLETED")
    ended = sweep.await_ended(attempt)
    assert ended["status"] in ("completed", "interrupted")
    assert ended["error_kind"] in (None, "preempted", "node-lost")
    cluster.await_that(lambda: int(cluster.job(worker)["Restarts"]) >= 1, "the worker is requeued", 120)
    await_all(sweep)


def test_a_time_limit_shorter_than_the_sweep(sweeps: tuple[Submitted, Submitted]) -> None:
    sweep, _ = sweeps
    await_all(sweep)
    jobs = {attempt["worker"] for attempt in sweep.attempts(status="completed")}
    assert len(jobs) >= 2, "the one worker's job ran at least twice"
    assert {attempt["slurm_job_id"] for attempt in sweep.attempts()} == {sweep.attempts()[0]["slurm_job_id"]}


def await_all(sweep: Submitted) -> None:
    """Wait until the sweep has ended; every trial is completed once, none has failed."""
    sweep.await_end(600)
    assert sweep.attempts(status="failed") == []
    completed = Counter(attempt["trial_id"] for attempt in sweep.attempts(status="completed"))
    assert sorted(completed.values()) == [1] * TRIALS
    assert {attempt["error_kind"] for attempt in sweep.attempts(status="interrupted")} <= {
        "time-limit",
        "preempted",
        "node-lost",
    }
