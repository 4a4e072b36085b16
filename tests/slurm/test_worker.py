"""What makes a worker stay, leave or look for another driver."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from noisebench.engine.deaths import note_leave
from noisebench.records.durable import write_durably
from noisebench.records.folders import ResultsFolder
from noisebench.slurm import worker
from noisebench.slurm.allocation import Allocation
from noisebench.slurm.head import Head, read_head
from noisebench.slurm.ray_node import RayNode
from noisebench.slurm.site import parse_site
from noisebench.slurm.stop import Stop
from noisebench.slurm.submission import Submission, submission_for
from tests.trials import sweep_of

SITE = """\
site: x
idle_minutes: {idle}
head_wait_minutes: 1
driver: {{minutes: 60}}
worker: {{minutes: 30, count: 1}}
"""
GIVEN = Allocation("7", 0, 1, 1, None)
JOINED = Head("10.0.0.1:6379", "first")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LOOK_SECONDS", 0.01)


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    site = parse_site(SITE.format(idle=60), "x.yaml")
    return submission_for("test", sweep_of().trials(), site, ResultsFolder(tmp_path))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RayNode]:
    """A process that stands for a node of Ray."""
    process = subprocess.Popen(["sleep", "600"])
    yield RayNode(process, tmp_path)
    process.kill()
    process.wait()


def publish(submission: Submission, head: Head) -> None:
    write_durably(submission.head, json.dumps(asdict(head)).encode())


def stay(submission: Submission, node: RayNode, stop: Stop | None = None) -> str | None:
    return worker._stay(submission, GIVEN, "me", node, JOINED, stop or Stop(None, 30))


def test_it_leaves_when_nothing_came_for_long(submission: Submission, node: RayNode) -> None:
    site = parse_site(SITE.format(idle=0), "x.yaml")
    assert stay(replace(submission, site=site), node) == "idle"


def test_it_leaves_when_all_is_done(submission: Submission, node: RayNode) -> None:
    publish(submission, replace(JOINED, done=True))
    assert stay(submission, node) == "done"


def test_it_follows_a_new_driver(submission: Submission, node: RayNode) -> None:
    publish(submission, replace(JOINED, generation="second"))
    assert stay(submission, node) is None


def test_it_looks_for_a_driver_when_its_ray_has_ended(submission: Submission, node: RayNode) -> None:
    node.process.kill()
    node.process.wait()
    assert stay(submission, node) is None


def test_it_leaves_when_a_trial_says_that_the_time_does_not_suffice(
    submission: Submission, node: RayNode
) -> None:
    note_leave(submission.results, "test", "me", "time-limit")
    assert stay(submission, node) == "time-limit"


def test_told_to_leave_it_says_why(submission: Submission, node: RayNode) -> None:
    stop = Stop(None, 30)
    stop.handle(15, None)
    assert stay(submission, node, stop) == "cancelled"
    assert (submission.results.sweep("test").heartbeats / "me.left").exists()
    assert not node.alive


def test_it_takes_a_head_that_shows_life(submission: Submission) -> None:
    publish(submission, JOINED)
    assert worker._await_head(submission, None, Stop(None, 30)) == JOINED
    publish(submission, replace(JOINED, beat=1))
    assert worker._await_head(submission, JOINED, Stop(None, 30)) == replace(JOINED, beat=1)
    done = replace(JOINED, done=True)
    publish(submission, done)
    assert worker._await_head(submission, done, Stop(None, 30)) == done
    assert read_head(submission.head) == done


def test_it_gives_its_gpus_back_when_no_driver_comes(
    submission: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(submission, JOINED)
    seconds = iter((0.0, 10.0, 59.0, 61.0))
    monkeypatch.setattr("noisebench.slurm.worker.time.monotonic", lambda: next(seconds))
    assert worker._await_head(submission, JOINED, Stop(None, 30)) is None
