"""Workers told to leave, by their time limit or for a job of higher priority: they drain and come back."""

import shutil
from collections import Counter

import pytest

from tests.slurm.devcluster import Devcluster
from tests.slurm.submitted import Submitted

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

TRIALS = 16
CALLED_BACK = "was preempted by cancelling it"
SITE = """\
site: small
signal_seconds: 30
setup: ['[ "$SLURMD_NODENAME" != node3 ] || export PATH={commands}:$PATH']
driver: {{cpus: 1, memory_gb: 3, minutes: 30, exclude: "node[2-3]"}}
worker: {{cpus: 1, memory_gb: 4, minutes: {minutes}, count: 1, gpu_request: "--gres=gpu:v100:1", {more}}}
"""
# An scontrol that goes dumb on command, as where a node cannot reach the controller.
SCONTROL = """\
#!/bin/sh
[ ! -e {mute} ] || exit 1
exec {scontrol} "$@"
"""
Sweeps = dict[str, Submitted]


@pytest.fixture(scope="module")
def sweeps(cluster: Devcluster, tmp_path_factory: pytest.TempPathFactory) -> Sweeps:
    """Three sweeps side by side.

    The worker of `short` has two minutes at a time, and its trials take longer than that together; those of
    `requeued` and `cancelled` are preempted as their names say.
    """

    def submitted(name: str, minutes: int, seconds: int, more: str) -> Submitted:
        sweep = Submitted(cluster, tmp_path_factory.mktemp(name), name)
        commands = sweep.folder / "bin"
        commands.mkdir()
        scontrol = commands / "scontrol"
        scontrol.write_text(SCONTROL.format(mute=sweep.folder / "mute", scontrol=shutil.which("scontrol")))
        scontrol.chmod(0o755)
        site = SITE.format(minutes=minutes, more=more, commands=commands)
        sweep.send_slow(site, TRIALS, seconds)
        return sweep

    return {
        "short": submitted("short", 2, 8, "exclude: 'node[2-3]'"),
        "requeued": submitted("requeued", 30, 4, "sbatch_extra: {nodelist: node2}"),
        "cancelled": submitted("cancelled", 30, 4, "partition: cheap, sbatch_extra: {nodelist: node3}"),
    }


def test_workers_make_room_for_jobs_of_higher_priority(cluster: Devcluster, sweeps: Sweeps) -> None:
    requeued, cancelled = sweeps["requeued"], sweeps["cancelled"]
    preempt(cluster, {"node2": requeued, "node3": cancelled}, restarts=1)
    assert CALLED_BACK not in logs(cancelled), "the worker has sent itself back"
    (cancelled.folder / "mute").touch()
    preempt(cluster, {"node3": cancelled}, restarts=2)
    assert CALLED_BACK in logs(cancelled)
    await_all(requeued)
    await_all(cancelled)


def logs(sweep: Submitted) -> str:
    """Return what the jobs of a sweep have written."""
    jobs = sweep.results.sweep(sweep.name).slurm / "jobs"
    return "".join(log.read_text() for log in jobs.glob("*_log.out"))


def preempt(cluster: Devcluster, sweeps: Sweeps, restarts: int) -> None:
    """Run a job where trials of the sweeps run; their workers are back in the queue afterwards."""
    attempts = {node: sweep.await_running(node) for node, sweep in sweeps.items()}
    workers = [sweep.job("worker", node) for node, sweep in sweeps.items()]
    nodes = [f"--nodes={len(sweeps)}", f"--nodelist={','.join(sweeps)}", "--exclusive"]
    urgent = cluster.submit("sleep 5", "--partition=urgent", *nodes, "--time=5")
    cluster.await_job(urgent, 120, JobState="COMPLETED")
    for node, sweep in sweeps.items():
        ended = sweep.await_ended(attempts[node])
        assert (ended["status"], ended["error_kind"]) in {
            ("completed", None),
            ("interrupted", "preempted"),
            ("interrupted", "node-lost"),
        }
    for worker in workers:
        cluster.await_that(
            lambda worker=worker: int(cluster.job(worker)["Restarts"]) >= restarts,
            f"worker {worker} is in the queue again",
            120,
        )


def test_a_time_limit_shorter_than_the_sweep(sweeps: Sweeps) -> None:
    sweep = sweeps["short"]
    await_all(sweep)
    jobs = {attempt["worker"] for attempt in sweep.attempts(status="completed")}
    assert len(jobs) >= 2, "the one worker's job ran at least twice"
    assert {attempt["slurm_job_id"] for attempt in sweep.attempts()} == {sweep.attempts()[0]["slurm_job_id"]}


def await_all(sweep: Submitted) -> None:
    """Wait until the sweep has ended; every trial is completed once, none has failed."""
    sweep.await_end(900)
    assert sweep.attempts(status="failed") == []
    completed = Counter(attempt["trial_id"] for attempt in sweep.attempts(status="completed"))
    assert sorted(completed.values()) == [1] * TRIALS
    assert {attempt["error_kind"] for attempt in sweep.attempts(status="interrupted")} <= {
        "time-limit",
        "preempted",
        "node-lost",
    }
