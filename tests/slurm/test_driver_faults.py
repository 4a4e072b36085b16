"""A killed driver, a second driver, a full file system: the sweep continues."""

import contextlib
import os
import time
from collections import Counter

import psutil
import pytest

from noisebench.slurm.protocol import Messages
from tests.slurm.devcluster import Devcluster
from tests.slurm.submitted import TWO_WORKERS, Submitted

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

TRIALS = 26
# What somebody would have to do to start a second driver by mistake.
SECOND_DRIVER = """
import sys
from pathlib import Path
from noisebench.slurm.client import Slurm
from noisebench.slurm.driver import drive
from noisebench.slurm.send import send_driver
from noisebench.slurm.site import load_site
from noisebench.slurm.submission import submission_for
from noisebench.sweep.sweep import load_sweep
from noisebench.records.folders import ResultsFolder

sweep = load_sweep(Path("drivers.yaml"))
site = load_site(Path("drivers-site.yaml"))
folder = ResultsFolder(Path("results").absolute()).sweep(sweep.name)
print(send_driver(submission_for(folder, list(sweep.trials()), site), drive, Slurm()))
"""


@pytest.fixture(scope="module")
def sweep(
    cluster: Devcluster, tmp_path_factory: pytest.TempPathFactory, faulty_trials: Submitted
) -> Submitted:
    """A sweep whose results lie on a small file system of their own."""
    assert faulty_trials.jobs(), "another sweep runs beside it, which feels nothing of its faults"
    sweep = Submitted(cluster, tmp_path_factory.mktemp("drivers"), "drivers")
    (sweep.folder / "results").symlink_to(cluster.small)
    sweep.send_slow(TWO_WORKERS, TRIALS, seconds=5)
    cluster.await_that(lambda: len(sweep.attempts(status="completed")) > 1, "trials are completed", 300)
    return sweep


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_file_system(cluster: Devcluster, sweep: Submitted) -> None:
    filler = sweep.folder / "results/filler"
    try:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1 << 12)):
                pass
        assert os.statvfs(filler).f_bavail == 0
        time.sleep(10)
    finally:
        filler.unlink()
    before = len(sweep.attempts(status="completed"))
    cluster.await_that(lambda: len(sweep.attempts(status="completed")) > before, "trials go on", 120)
    assert sweep.attempts(status="failed") == []


def test_a_driver_that_is_killed(cluster: Devcluster, sweep: Submitted) -> None:
    before, first = published_by(sweep), sweep.job("driver")
    kill_job(cluster, first)
    cluster.await_job(first, 60, JobState="FAILED")
    cluster.await_that(lambda: sweep.job("driver") != first, "the standby runs", 60)
    cluster.await_that(lambda: published_by(sweep) not in ("", before), "it starts a head of its own", 120)
    done = len(sweep.attempts(status="completed"))
    cluster.await_that(lambda: len(sweep.attempts(status="completed")) > done, "trials go on", 120)


def test_a_second_driver_waits_for_the_first(cluster: Devcluster, sweep: Submitted) -> None:
    before = published_by(sweep)
    sent = sweep.python(SECOND_DRIVER)
    assert sent.returncode == 0, sent.stderr
    second = cluster.await_job(sent.stdout.strip(), 60, JobState="PENDING", Reason="Dependency")
    assert second["Dependency"].startswith("singleton")
    assert published_by(sweep) == before


def test_every_trial_is_completed_and_none_has_failed(sweep: Submitted, faulty_trials: Submitted) -> None:
    sweep.hasten()
    sweep.await_end(1500)
    assert sweep.attempts(status="failed") == []
    completed = Counter(attempt["trial_id"] for attempt in sweep.attempts(status="completed"))
    assert sorted(completed.values()) == [1] * TRIALS
    kinds = {attempt["error_kind"] for attempt in sweep.attempts(status="interrupted")}
    assert kinds <= {"driver-lost", "node-lost"}
    # Other tests take nodes down, perhaps those on which it runs.
    faulty_trials.await_end(600)


def kill_job(cluster: Devcluster, job: str) -> None:
    """Kill every process of a job: the batch script, its step, Ray."""
    for process in cluster.processes_of_job(job):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def published_by(sweep: Submitted) -> str:
    """Return the driver that published the present head."""
    head = Messages(sweep.results.sweep(sweep.name)).head()
    return "" if head is None else head.driver
