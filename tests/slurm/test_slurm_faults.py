"""Slurm fails in the middle of a sweep: held jobs, refused and hanging commands, two drivers at once."""

import shutil
from collections import Counter
from collections.abc import Callable

import pytest

from noisebench.slurm.messages import Messages
from tests.slurm.devcluster import Devcluster
from tests.slurm.raw_journal import check_journal
from tests.slurm.submitted import WAIT_SECONDS, Submitted
from tests.slurm.test_driver_faults import kill_job

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

# Long enough that the sweep outlasts the faults on any machine: 1,800 GPU-seconds on two or three GPUs.
TRIALS = 60
TRIAL_SECONDS = 30
SITE = """\
site: small
signal_seconds: 30
setup: ['export PATH={commands}:$PATH']
driver: {{cpus: 1, memory_gb: 3, minutes: 120, sbatch_extra: {{nodelist: node4}}}}
workers:
  cpus: 4     # the whole node, so that each worker has one of its own
  memory_gb: 4
  minutes: 120
  count: 2
  gpu_request: --gres=gpu:v100:1
  exclude: node4
"""
# Works, fails or hangs as the file FAULT beside it says; the file HUNG gets a line for each second of that.
WRAPPER = """\
#!/bin/sh
case $(cat {folder}/FAULT-{name} 2>/dev/null) in
  refuse) echo "{name}: error: Batch job submission failed: Job violates accounting/QOS policy" >&2; exit 1;;
  hang) while sleep 1; do echo >>{folder}/HUNG-{name}; done;;
esac
exec {real} "$@"
"""
# For how long no squeue of the sweep's jobs answers.
HUNG_SECONDS = 120
COMMANDS = ("sbatch", "squeue", "scontrol", "scancel")
# A second driver whose lock does not reach other nodes, and that Slurm does not hold back.
UNFENCED_DRIVER = """
from pathlib import Path
from submitit.core.utils import DelayedSubmission
from noisebench.records.folders import ResultsFolder
from noisebench.slurm.client import Slurm
from noisebench.slurm.script import driver_script
from noisebench.slurm.send import send
from noisebench.slurm.site import load_site
from noisebench.slurm.submission import submission_for
from noisebench.sweep.sweep import load_sweep


def unfenced(submission):
    import fcntl
    from noisebench.slurm.driver import drive

    fcntl.flock = lambda *_: None
    return drive(submission)


sweep = load_sweep(Path("commands.yaml"))
site = load_site(Path("commands-site.yaml"))
folder = ResultsFolder(Path("results").absolute()).sweep(sweep.name)
submission = submission_for(folder, list(sweep.trials()), site)
text = driver_script(submission).replace("#SBATCH --dependency=singleton\\n", "")
print(send(submission, "driver", DelayedSubmission(unfenced, submission), text, Slurm()))
"""


@pytest.fixture(scope="module")
def sweep(cluster: Devcluster, submitted: Callable[[str], Submitted]) -> Submitted:
    """A sweep whose jobs find wrappers of Slurm's commands; node1 could not start the first job sent there.

    That job is held. Neither squeue nor scontrol answers the driver, so that it cannot release it.
    """
    sweep = submitted("commands")
    folder = sweep.folder / "bin"
    folder.mkdir()
    for name in COMMANDS:
        wrapper = folder / name
        wrapper.write_text(WRAPPER.format(folder=folder, name=name, real=shutil.which(name)))
        wrapper.chmod(0o755)
    # A driver releases a job three times only: none of them while its node is broken.
    fault(sweep, "squeue", "hang")
    fault(sweep, "scontrol", "hang")
    # Two workers do not fit on node2 alone.
    blocker = cluster.submit("sleep 3600", "--exclusive", "--nodelist=node3")
    cluster.await_job(blocker, JobState="RUNNING")
    spool = cluster.folder / "spool/node1"
    away = spool.rename(spool.with_name("node1.away"))
    try:
        sweep.send_slow(SITE.format(commands=folder), TRIALS, TRIAL_SECONDS)
        await_that(cluster, lambda: bool(held(cluster)), "a worker is held")
        shown = "is held (launch failed requeued held)"
        await_that(cluster, lambda: shown in sweep.must("status", "commands"), "status names it")
    finally:
        away.rename(spool)
        cluster.put_back("node1")  # Slurm may have drained it
        cluster.run("scancel", blocker)
    return sweep


def test_the_driver_releases_held_workers(cluster: Devcluster, sweep: Submitted) -> None:
    fault(sweep, "squeue", "")
    await_that(cluster, lambda: hung_seconds(sweep, "scontrol") > 0, "the driver tries to release it")
    assert held(cluster)
    fault(sweep, "scontrol", "")
    await_that(cluster, lambda: len(running_workers(sweep)) == 2, "the held worker is released")
    assert held(cluster) == ""
    for worker in running_workers(sweep):
        sweep.await_running(cluster.job(worker)["BatchHost"])


def test_a_takeover_while_slurm_refuses_and_hangs(cluster: Devcluster, sweep: Submitted) -> None:
    first_head, first = published_by(sweep), sweep.job("driver")
    workers = [job for job, state in sweep.jobs().items() if state.startswith("worker")]
    fault(sweep, "sbatch", "refuse")
    fault(sweep, "scontrol", "hang")
    kill_job(cluster, first)
    await_that(cluster, lambda: published_by(sweep) not in ("", first_head), "the standby has taken over")
    before = hung_seconds(sweep, "squeue")
    fault(sweep, "squeue", "hang")
    done = len(sweep.attempts(status="completed"))
    await_that(
        cluster,
        lambda: hung_seconds(sweep, "squeue") >= before + HUNG_SECONDS,
        f"squeue has hung for {HUNG_SECONDS} s",
    )
    await_that(cluster, lambda: len(sweep.attempts(status="completed")) > done, "trials go on")
    assert {cluster.job(worker)["JobState"] for worker in workers} == {"RUNNING"}
    assert [state for state in sweep.jobs().values() if state.startswith("driver PENDING")] == []
    for command in COMMANDS:
        fault(sweep, command, "")
    # A command that hangs is given up after its time, and asked again after a pause.
    await_that(cluster, lambda: has_standby(sweep), "a standby waits again")


def test_of_two_drivers_without_a_lock_the_newer_one_stays(cluster: Devcluster, sweep: Submitted) -> None:
    first, before = sweep.job("driver"), published_by(sweep)
    sent = sweep.python(UNFENCED_DRIVER)
    assert sent.returncode == 0, sent.stderr
    second = sent.stdout.strip()
    cluster.await_job(first, 120, JobState="COMPLETED")
    assert before != published_by(sweep)
    assert published_by(sweep).startswith(f"{second}-")
    await_that(cluster, lambda: sweep.job("driver") == second, "only the newer driver is left")


def test_workers_come_and_go_while_the_sweep_runs(cluster: Devcluster, sweep: Submitted) -> None:
    sweep.must("scale", "commands", "--workers", "3")
    await_that(cluster, lambda: len(running_workers(sweep)) == 3, "a third worker runs")
    sweep.must("scale", "commands", "--workers", "1")
    await_that(cluster, lambda: len(running_workers(sweep)) == 1, "two workers have left")
    (stayed,) = running_workers(sweep)
    assert cluster.job(stayed)["Restarts"] == "0"
    refused = sweep.noisebench("scale", "commands", "--workers", "1000")
    assert (refused.returncode, "at most 98" in refused.stderr) == (2, True)


def test_the_logs_of_jobs_are_found_by_the_sweeps_name(sweep: Submitted) -> None:
    assert "is held (launch failed requeued held): release 1 of 3" in sweep.must(
        "logs", "commands", "--driver"
    )
    (worker,) = running_workers(sweep)
    assert "joins" in sweep.must("logs", "commands", "--worker", worker)
    assert sweep.noisebench("logs", "commands", "--worker", "1_9").returncode == 2


def test_every_trial_is_completed_and_none_has_failed(sweep: Submitted) -> None:
    sweep.hasten()
    sweep.await_end(1500)
    assert sweep.attempts(status="failed") == []
    completed = Counter(attempt["trial_id"] for attempt in sweep.attempts(status="completed"))
    assert len(completed) == TRIALS
    # Neither the driver that was killed nor the one that was superseded let a trial complete twice.
    assert check_journal(sweep.results.sweep(sweep.name).journal, TRIALS).problems == []


def await_that(cluster: Devcluster, holds: Callable[[], bool], what: str) -> None:
    """Wait for something on a machine that may be busy."""
    cluster.await_that(holds, what, WAIT_SECONDS)


def fault(sweep: Submitted, command: str, kind: str) -> None:
    """Let a command refuse, hang, or work again."""
    file = sweep.folder / f"bin/FAULT-{command}"
    file.with_suffix(".new").write_text(kind)
    file.with_suffix(".new").rename(file)


def hung_seconds(sweep: Submitted, command: str) -> int:
    """Return for how long calls of a command by the sweep's jobs have hung in all."""
    file = sweep.folder / f"bin/HUNG-{command}"
    return len(file.read_text().splitlines()) if file.exists() else 0


def held(cluster: Devcluster) -> str:
    """Return the lines of squeue about jobs that are held."""
    lines = cluster.run("squeue", "--noheader", "--array", "--format=%i %j %r").splitlines()
    return "\n".join(line for line in lines if "held" in line)


def running_workers(sweep: Submitted) -> list[str]:
    """Return the ids of the workers that run."""
    return [job for job, state in sweep.jobs().items() if state.startswith("worker RUNNING")]


def has_standby(sweep: Submitted) -> bool:
    """Whether a driver waits behind the one that runs."""
    return any(state.startswith("driver PENDING") for state in sweep.jobs().values())


def published_by(sweep: Submitted) -> str:
    """Return the driver whose head is published now."""
    head = Messages(sweep.results.sweep(sweep.name)).head()
    return "" if head is None else head.driver
