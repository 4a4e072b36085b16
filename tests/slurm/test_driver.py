"""A driver on a fake Slurm: what ends the sweep, what it leaves to its standby, how it takes over."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from noisebench.engine import run
from noisebench.engine.progress import Progress
from noisebench.errors import EnvironmentFault, InputError
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.heartbeats import heartbeat
from noisebench.records.lock import sweep_lock
from noisebench.records.manifest import keep_sweep
from noisebench.records.provenance import host
from noisebench.slurm import driver, messages, ray_node, takeover
from noisebench.slurm.protocol import Head
from noisebench.slurm.site import parse_site
from noisebench.slurm.submission import Submission
from tests.slurm.fake_slurm import FakeSlurm
from tests.trials import sweep_of

SITE = "site: x\ninterface: lo\ndriver: {minutes: 60}\nworkers: {minutes: 30, count: 3, cpus: 2}\n"
FORMER = Head("10.0.0.1:6379", "7-a", 1)


class Scene:
    """A sweep whose data are not on this node, with its jobs on a fake Slurm."""

    def __init__(self, folder: Path) -> None:
        self.slurm = FakeSlurm()
        sweep = ResultsFolder(folder / "results").sweep("test")
        self.submission = Submission(sweep, parse_site(SITE, "x.yaml"), workers=3, data_dir=folder / "data")
        self.messages = self.submission.messages
        self.messages.begin()
        keep_sweep(sweep, sweep_of(dataset="MNIST"))
        driver_name, worker_name = (self.submission.job_name(role) for role in ("driver", "worker"))
        self.job = self.slurm.add(driver_name, state="RUNNING")
        self.standby = self.slurm.add(driver_name, reason="Dependency")
        self.workers = [self.slurm.add(worker_name, state="RUNNING") for _ in range(3)]

    def drive(self) -> None:
        """Run the driver's job."""
        driver.drive(self.submission)

    def states(self, *jobs: str) -> set[str]:
        return {self.slurm.jobs[job].state for job in jobs}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    monkeypatch.setattr(driver, "Slurm", scene.slurm.client)
    monkeypatch.setattr(takeover, "LOCK_SECONDS", 0.01)
    monkeypatch.setattr(messages, "BEAT_SECONDS", 0.05)
    monkeypatch.setenv("SLURM_JOB_ID", scene.job)
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_JOB_END_TIME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR2, signal.SIGINT)}
    yield scene
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_fault_of_its_node_is_left_to_the_standby(scene: Scene) -> None:
    with pytest.raises(EnvironmentFault, match="MNIST"):
        scene.drive()
    assert scene.states(scene.standby, *scene.workers) == {"PENDING", "RUNNING"}
    assert "MNIST" in scene.messages.faults()[f"driver-{scene.job}"]


@pytest.mark.slow
def test_a_head_that_does_not_start_is_left_to_the_standby(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_sweep(scene.submission.folder, sweep_of(), replace=True)
    monkeypatch.setattr(ray_node.sys, "executable", "/bin/false")
    with pytest.raises(EnvironmentFault, match="Ray's head ended while it started"):
        scene.drive()
    assert scene.states(scene.standby, *scene.workers) == {"PENDING", "RUNNING"}
    assert "the node may be overloaded" in scene.messages.faults()[f"driver-{scene.job}"]


def test_an_error_of_ray_is_left_to_the_standby(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("raylet failed")

    monkeypatch.setattr(driver, "run_sweep", fails)
    for _ in range(driver.MAX_FAULTS):
        assert scene.states(scene.standby, *scene.workers) == {"PENDING", "RUNNING"}
        with pytest.raises(RuntimeError):
            scene.drive()
    assert (
        scene.messages.faults()[f"driver-{scene.job}"] == "RuntimeError: raylet failed; see the driver's log"
    )
    assert scene.states(scene.standby, *scene.workers) == {"CANCELLED"}


def test_a_driver_can_be_ended_where_sigint_was_ignored(scene: Scene) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with pytest.raises(EnvironmentFault, match="MNIST"):
        scene.drive()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
def test_a_missing_standby_is_sent_before_a_driver_ends_by_a_fault(scene: Scene) -> None:
    scene.slurm.jobs[scene.standby].state = "CANCELLED"
    with pytest.raises(EnvironmentFault):
        scene.drive()
    assert [words[0] for words in scene.slurm.calls].count("sbatch") == 1


@pytest.mark.slow
def test_faults_of_several_drivers_in_a_row_end_the_sweep(scene: Scene) -> None:
    for _ in range(driver.MAX_FAULTS):
        assert scene.states(scene.standby, *scene.workers) == {"PENDING", "RUNNING"}
        with pytest.raises(EnvironmentFault):
            scene.drive()
    assert scene.states(scene.standby, *scene.workers) == {"CANCELLED"}


def test_only_faults_in_a_row_without_progress_count(scene: Scene) -> None:
    counts = [scene.messages.count_driver_fault(has_progressed=each) for each in (False, False, True, False)]
    assert counts == [1, 2, 1, 2]
    scene.messages.begin()
    assert scene.messages.count_driver_fault(has_progressed=False) == 1


def test_a_mistake_of_the_user_ends_the_sweep(scene: Scene) -> None:
    text = scene.submission.folder.spec.read_text()
    scene.submission.folder.spec.write_text(text.replace("MNIST", "no-such-data"))
    with pytest.raises(InputError, match="no-such-data"):
        scene.drive()
    assert scene.states(scene.standby, *scene.workers) == {"CANCELLED"}
    assert "no-such-data" in scene.messages.faults()[f"driver-{scene.job}"]


@pytest.mark.slow
def test_a_former_driver_knows_before_the_records_are_read(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    superseded, known = threading.Event(), []
    read = run._end_former_attempts

    def watched(folder: SweepFolder) -> object:
        known.append(superseded.is_set())
        return read(folder)

    monkeypatch.setattr(run, "_end_former_attempts", watched)
    monkeypatch.setattr(messages, "BEAT_SECONDS", 0.5)
    with scene.messages.published(FORMER, superseded.set):
        while scene.messages.head() is None:
            time.sleep(0.01)
        with pytest.raises(EnvironmentFault, match="MNIST"):
            scene.drive()
    assert known == [True]
    head = scene.messages.head()
    assert (head and head.generation, head and head.address) == (2, "")


@pytest.mark.parametrize("former", [None, Head("", "7-a", 1, done=True)])
def test_without_a_former_driver_nothing_is_waited_for(
    scene: Scene, former: Head | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if former is not None:
        scene.messages.publish(former)
    monkeypatch.setattr(takeover, "FENCE_BEATS", 10**6)
    with pytest.raises(EnvironmentFault, match="MNIST"):
        scene.drive()
    assert scene.messages.head() == former


def test_a_driver_that_is_superseded_while_it_takes_over_ends_with_success(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.messages.publish(FORMER)
    monkeypatch.setattr(takeover, "FENCE_BEATS", 10**6)
    newer = Head("10.0.0.3:6379", "9-c", 9)

    ended = threading.Event()

    def supersede() -> None:
        while scene.messages.head() == FORMER:
            time.sleep(0.01)
        # Again and again, as a driver does: a beat of the other one may have begun before.
        while not ended.wait(0.01):
            scene.messages.publish(newer)

    thread = threading.Thread(target=supersede)
    thread.start()
    try:
        scene.drive()
    finally:
        ended.set()
        thread.join()
    assert scene.states(scene.standby, *scene.workers) == {"PENDING", "RUNNING"}


@pytest.mark.slow
def test_a_lock_whose_holder_shows_no_life_is_taken_over(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "STILL_SECONDS", 0.05)
    scene.messages.publish(FORMER)
    with sweep_lock(scene.submission.folder), pytest.raises(EnvironmentFault, match="MNIST"):
        scene.drive()
    head = scene.messages.head()
    assert (head and head.generation) == 2


@pytest.mark.slow
@pytest.mark.parametrize("life", ["beats", "heartbeat", "no driver"])
def test_a_lock_whose_holder_lives_is_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, life: str
) -> None:
    monkeypatch.setattr(takeover, "STILL_SECONDS", 0.5)
    waits = 0

    def wait(_: float) -> None:
        nonlocal waits
        waits += 1
        fault = scene.messages.faults()[f"driver-{scene.job}"]
        assert f"is running already (process {os.getpid()} on {host()}" in fault
        if life == "beats":
            scene.messages.publish(Head("10.0.0.1:6379", "7-a", 1, beat=waits))
        if waits == 10:
            raise KeyboardInterrupt
        threading.Event().wait(0.1)

    if life == "heartbeat":
        scene.messages.publish(FORMER)
    with sweep_lock(scene.submission.folder), monkeypatch.context() as patch:
        name = f"{host()}-0123456789ab" if life == "heartbeat" else f"{host()}-7-0123456789ab"
        with heartbeat(scene.submission.folder, name):
            patch.setattr(takeover.time, "sleep", wait)
            with pytest.raises(KeyboardInterrupt):
                scene.drive()
    assert waits == 10


def test_the_note_of_a_lock_goes_with_it(scene: Scene) -> None:
    lock = sweep_lock(scene.submission.folder)
    lock.__enter__()
    seen = []

    def release() -> None:
        while not scene.messages.faults():
            time.sleep(0.01)
        seen.append(scene.messages.faults()[f"driver-{scene.job}"])
        lock.__exit__(None, None, None)

    thread = threading.Thread(target=release)
    thread.start()
    with pytest.raises(EnvironmentFault):
        scene.drive()
    thread.join()
    assert "this driver waits until that one ends" in seen[0]
    assert "waits" not in scene.messages.faults()[f"driver-{scene.job}"]


def test_workers_that_the_trials_that_are_left_can_fill(scene: Scene) -> None:
    own = driver._Driver(scene.submission, scene.job, scene.slurm.client())
    assert own._fillable() >= scene.submission.workers, "nothing is known yet"
    own._models = {"small-cnn"}
    own._note_progress(Progress(9, 1, 0, pending=6, running=2, held=3))
    assert own._fillable() == 3, "five trials, two on a worker"
