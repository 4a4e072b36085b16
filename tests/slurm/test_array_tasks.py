"""Tasks of an array behind a driver that starts late: none runs before it, each requeues itself alone.

All Python of these jobs runs without Slurm's commands, as in a container that lacks them.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.slurm.devcluster import Devcluster
from tests.slurm.submitted import Submitted

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

# The last of three workers of one GPU leaves some 280 s after the first start. By then they have spent less
# than 800 GPU-seconds. The trials sleep for 850, so no machine completes the sweep before. They are short,
# because a trial fails that three workers leave unfinished at their time limits.
TRIALS = 85
TRIAL_SECONDS = 10
# Longer than the workers would wait for a driver, were they to start before it.
LATE_SECONDS = 75
# The tasks start, and so reach their limit of four minutes, at different moments: a task that requeues all of
# them finds others in the middle of their time. Slurm signals each up to half a minute too early.
APART_SECONDS = 50
SITE = """\
site: small
python: {python}
container: {{image: image.sif, command: {container}}}
signal_seconds: 60
head_wait_minutes: 1
idle_minutes: 2
driver: {{cpus: 1, memory_gb: 3, minutes: 120, sbatch_extra: {{nodelist: node4}}}}
workers:
  cpus: 4     # the whole node, so that each worker has one of its own
  memory_gb: 4
  minutes: 4
  count: 3
  gpu_request: --gres=gpu:v100:1
  exclude: node4
"""


@pytest.fixture(scope="module")
def sweep(cluster: Devcluster, submitted: Callable[[str], Submitted]) -> Iterator[Submitted]:
    """A sweep whose driver finds its node taken."""
    blocker = cluster.submit("sleep 900", "--exclusive", "--nodelist=node4", "--job-name=blocker")
    try:
        cluster.await_job(blocker, JobState="RUNNING")
        sweep = submitted("array")
        site = SITE.format(python=sys.executable, container=container_without_slurm(sweep.folder))
        sweep.send_slow(site, TRIALS, TRIAL_SECONDS)
        yield sweep
    finally:
        cluster.run("scancel", "--name=blocker")  # where a failed test has left one


def container_without_slurm(folder: Path) -> Path:
    """Return a command that runs another one, after the name of an image, where Slurm's are not found."""
    commands = folder / "commands"
    commands.mkdir()
    hidden = ("sbatch", "squeue", "scancel", "scontrol", "srun", "sacct", "sinfo")
    for path in Path("/usr/bin").iterdir():
        if path.name not in hidden:
            (commands / path.name).symlink_to(path)
    wrapper = folder / "container.sh"
    wrapper.write_text(f'#!/bin/sh\nshift\nexec env PATH={commands} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


def test_no_worker_runs_before_the_driver(cluster: Devcluster, sweep: Submitted) -> None:
    end = time.monotonic() + LATE_SECONDS
    while time.monotonic() < end:
        assert not [job for job, state in sweep.jobs().items() if "RUNNING" in state]
        time.sleep(3)
    assert {cluster.job(task)["Reason"] for task in tasks(sweep)} == {"Dependency"}
    first_runs = sweep.folder / "first-runs"
    for number in (1, 2):
        blocker = ["--gres=gpu:v100:4", f"--nodelist=node{number + 1}", "--job-name=blocker", "--mem=100"]
        wait = f"until [ -e {first_runs} ]; do sleep 1; done; sleep {number * APART_SECONDS}"
        cluster.await_job(cluster.submit(wait, *blocker), JobState="RUNNING")
    cluster.run("scancel", "--name=blocker", "--nodelist=node4")
    cluster.await_that(lambda: "driver RUNNING node4" in sweep.jobs().values(), "the driver runs", 60)
    cluster.await_that(lambda: "worker RUNNING node1" in sweep.jobs().values(), "the first worker runs", 60)
    first_runs.touch()
    sweep.await_running("node1")


def test_each_task_requeues_itself_alone(cluster: Devcluster, sweep: Submitted) -> None:
    ids = tasks(sweep)
    assert len(ids) == 3
    restarts: dict[str, int] = {}

    def all_are_back() -> bool:
        restarts.update({task: int(cluster.job(task)["Restarts"]) for task in ids})
        # A task that another one has requeued was restarted without an end of its own before.
        assert {task: count for task, count in restarts.items() if count > ends(sweep, task)} == {}
        return min(restarts.values()) > 0

    cluster.await_that(all_are_back, "each task was requeued", 420)


def test_every_trial_is_completed_once(sweep: Submitted) -> None:
    sweep.hasten()
    sweep.await_end(1500)
    assert sweep.attempts(status="failed") == []
    completed = Counter(attempt["trial_id"] for attempt in sweep.attempts(status="completed"))
    assert sorted(completed.values()) == [1] * TRIALS
    interrupted = {attempt["error_kind"] for attempt in sweep.attempts(status="interrupted")}
    assert interrupted <= {"time-limit", "node-lost"}


def test_the_jobs_had_no_command_of_slurm(sweep: Submitted) -> None:
    logs = [log.read_text() for log in (sweep.results.sweep("array").slurm / "jobs").glob("*_log.out")]
    assert any("squeue: command not found" in log for log in logs)


def tasks(sweep: Submitted) -> list[str]:
    """Return the ids of the workers, ARRAY_TASK each."""
    return sorted(job for job, state in sweep.jobs().items() if state.startswith("worker"))


def ends(sweep: Submitted, task: str) -> int:
    """Return how often a task has written that it ends for its time limit; it asks for its requeue then."""
    log = sweep.results.sweep(sweep.name).slurm / f"jobs/{task}_0_log.out"
    return log.read_text().count(" ends: time-limit") if log.exists() else 0
