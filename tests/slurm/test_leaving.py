"""Workers that leave for a job of higher priority: they drain and come back."""

import shutil
from collections import Counter
from collections.abc import Callable

import pytest

from tests.slurm.devcluster import Devcluster
from tests.slurm.submitted import WAIT_SECONDS, Submitted

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

# Long enough that the sweeps outlast the faults on any machine: hastened, the rest takes seconds.
TRIALS = 24
TRIAL_SECONDS = 10
CALLED_BACK = ": requeued"
SITE = """\
site: small
signal_seconds: 30
setup: ['[ "$SLURMD_NODENAME" != node3 ] || export PATH={commands}:$PATH']
driver: {{cpus: 1, memory_gb: 3, minutes: 120, exclude: "node[2-3]"}}
workers: {{cpus: 1, memory_gb: 4, minutes: 120, count: 1, gpu_request: "--gres=gpu:v100:1", {more}}}
"""
# An scontrol that fails on command, as where a node cannot reach the controller.
SCONTROL = """\
#!/bin/sh
[ ! -e {mute} ] || exit 1
exec {scontrol} "$@"
"""
Sweeps = dict[str, Submitted]


@pytest.fixture(scope="module")
def sweeps(submitted: Callable[[str], Submitted]) -> Sweeps:
    """Two sweeps side by side, whose workers are preempted as their names say."""

    def sent(name: str, more: str) -> Submitted:
        sweep = submitted(name)
        commands = sweep.folder / "bin"
        commands.mkdir()
        scontrol = commands / "scontrol"
        scontrol.write_text(SCONTROL.format(mute=sweep.folder / "mute", scontrol=shutil.which("scontrol")))
        scontrol.chmod(0o755)
        site = SITE.format(more=more, commands=commands)
        sweep.send_slow(site, TRIALS, TRIAL_SECONDS)
        return sweep

    return {
        "requeued": sent("requeued", "sbatch_extra: {nodelist: node2}"),
        "cancelled": sent("cancelled", "partition: cheap, sbatch_extra: {nodelist: node3}"),
    }


def test_workers_make_room_for_jobs_of_higher_priority(cluster: Devcluster, sweeps: Sweeps) -> None:
    requeued, cancelled = sweeps["requeued"], sweeps["cancelled"]
    preempt(cluster, {"node2": requeued, "node3": cancelled}, restarts=1)
    assert CALLED_BACK not in logs(cancelled), "the worker has sent itself back"
    (cancelled.folder / "mute").touch()
    preempt(cluster, {"node3": cancelled}, restarts=2)
    cluster.await_that(lambda: CALLED_BACK in logs(cancelled), "the driver says that it has sent it back")
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
        # The next trial may have begun there before the worker left.
        worker = attempts[node]["worker"]
        cluster.await_that(
            lambda sweep=sweep, worker=worker: not sweep.attempts(worker=worker, status="running"),
            f"the trials of {worker} have ended",
            WAIT_SECONDS,
        )
        ends = {(each["status"], each["error_kind"]) for each in sweep.attempts(worker=worker)}
        assert ends <= {("completed", None), ("interrupted", "preempted"), ("interrupted", "node-lost")}
    for worker in workers:
        cluster.await_that(
            lambda worker=worker: int(cluster.job(worker)["Restarts"]) >= restarts,
            f"worker {worker} is in the queue again",
            120,
        )


def await_all(sweep: Submitted) -> None:
    """Wait until the sweep has ended; every trial is completed once, none has failed."""
    sweep.hasten()
    sweep.await_end(900)
    assert sweep.attempts(status="failed") == []
    completed = Counter(attempt["trial_id"] for attempt in sweep.attempts(status="completed"))
    assert sorted(completed.values()) == [1] * TRIALS
    assert {attempt["error_kind"] for attempt in sweep.attempts(status="interrupted")} <= {
        "preempted",
        "node-lost",
    }
