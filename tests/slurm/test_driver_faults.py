"""Drivers that die, drivers that are too many, a file system that is full: the sweep goes on."""

import contextlib
import errno
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from noisebench.records.durable import write_durably
from noisebench.slurm.messages import Messages
from tests.slurm.devcluster import Devcluster
from tests.slurm.submitted import TWO_WORKERS, Submitted

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

TRIALS = 40
# A quarter of the time for which writes are tried again.
FULL_SECONDS = 10
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
def sweep(cluster: Devcluster, submitted: Callable[[str], Submitted], faulty_trials: Submitted) -> Submitted:
    """A sweep whose results lie on a small file system of their own."""
    assert faulty_trials.jobs(), "another sweep runs beside it, which feels nothing of its faults"
    sweep = submitted("drivers")
    (sweep.folder / "results").symlink_to(cluster.small)
    sweep.send_slow(TWO_WORKERS, TRIALS, seconds=5)
    cluster.await_that(lambda: len(sweep.attempts(status="completed")) > 1, "trials are completed", 300)
    return sweep


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_file_system(cluster: Devcluster, sweep: Submitted) -> None:
    filler = sweep.folder / "results/filler"
    try:
        refused, end = 0, time.monotonic() + FULL_SECONDS
        while time.monotonic() < end:
            fill(filler)
            # Now and then another writer gives something back first.
            refused += is_full(filler.parent)
            time.sleep(0.1)
        assert refused, "a file is not written, for nothing is left"
    finally:
        filler.unlink()
    before = len(sweep.attempts(status="completed"))
    cluster.await_that(lambda: len(sweep.attempts(status="completed")) > before, "trials go on", 120)
    assert sweep.attempts(status="failed") == []


def fill(filler: Path) -> None:
    """Take what is free, until nothing is left."""
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 12))


def is_full(folder: Path) -> bool:
    """Whether a small file cannot be written there as the sweep's jobs write theirs."""
    file = folder / "small"
    try:
        write_durably(file, bytes(1000))
    except OSError as error:
        return error.errno == errno.ENOSPC
    file.unlink()
    return False


def test_a_driver_that_is_killed(cluster: Devcluster, sweep: Submitted) -> None:
    before, first = published_by(sweep), sweep.job("driver")
    kill_job(cluster, first)
    cluster.await_job(first, 60, JobState="FAILED")
    cluster.await_that(lambda: running_drivers(sweep) not in ([], [first]), "the standby runs", 60)
    cluster.await_that(lambda: published_by(sweep) not in ("", before), "it starts a head of its own", 120)
    done = len(sweep.attempts(status="completed"))
    cluster.await_that(lambda: len(sweep.attempts(status="completed")) > done, "trials go on", 120)


def test_a_second_driver_waits_for_the_first(cluster: Devcluster, sweep: Submitted) -> None:
    before = published_by(sweep)
    with sweep.hold():  # the first driver does not end
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


def running_drivers(sweep: Submitted) -> list[str]:
    """Return the ids of the drivers that run: none while one is about to take over."""
    return [job for job, state in sweep.jobs().items() if state.startswith("driver RUNNING")]


def published_by(sweep: Submitted) -> str:
    """Return the driver whose head is published now."""
    head = Messages(sweep.results.sweep(sweep.name)).head()
    return "" if head is None else head.driver
