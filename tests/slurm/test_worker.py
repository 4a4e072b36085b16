"""What makes a worker stay, leave or look for another driver."""

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from noisebench.engine.node import GPU_COUNTS_VARIABLE, leave_note, note_leave
from noisebench.errors import EnvironmentFault
from noisebench.records.attempts import LeaveReason
from noisebench.records.folders import ResultsFolder
from noisebench.slurm import worker
from noisebench.slurm.allocation import Allocation, allocation, own_address
from noisebench.slurm.mps import MpsDaemon
from noisebench.slurm.protocol import Head, WorkerEnd
from noisebench.slurm.ray_node import Join, RayNode
from noisebench.slurm.site import parse_site
from noisebench.slurm.stop import Stop
from noisebench.slurm.submission import Submission, submission_for
from noisebench.slurm.worker import Worker
from tests.slurm.fake_slurm import FakeSlurm
from tests.trials import sweep_of

SITE = """\
site: x
idle_minutes: {idle}
head_wait_minutes: 1
driver: {{minutes: 60}}
workers: {{minutes: 30, count: 1}}
"""
ALLOCATION = Allocation("7_1", 1, 0, None)
JOINED = Head("10.0.0.1:6379", "first", 1)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LOOK_SECONDS", 0.01)


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    site = parse_site(SITE.format(idle=60), "x.yaml")
    submission = submission_for(ResultsFolder(tmp_path).sweep("test"), sweep_of().trials(), site)
    submission.messages.begin()
    return submission


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RayNode]:
    """A process that stands for a node of Ray."""
    process = subprocess.Popen(["sleep", "600"])
    yield RayNode(process, tmp_path)
    process.kill()
    process.wait()


def worker_of(submission: Submission, stop: Stop | None = None) -> Worker:
    return Worker(submission, ALLOCATION, "me", stop or Stop(None, 30), FakeSlurm().client())


def stay(submission: Submission, node: RayNode, stop: Stop | None = None) -> WorkerEnd | None:
    return worker._stay(worker_of(submission, stop), node, JOINED)


def test_it_leaves_after_its_idle_minutes(submission: Submission, node: RayNode) -> None:
    site = parse_site(SITE.format(idle=0), "x.yaml")
    assert stay(replace(submission, site=site), node) is WorkerEnd.IDLE
    assert leave_note(submission.folder, "me") is LeaveReason.SCALED_DOWN, "no trial there counts a lost node"


def test_a_trial_that_begins_while_its_worker_leaves_as_idle_may_end(
    submission: Submission, node: RayNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = iter([False, True, True, False])
    monkeypatch.setattr(worker.Activity, "busy", lambda _: next(busy))
    site = parse_site(SITE.format(idle=0), "x.yaml")
    assert stay(replace(submission, site=site), node) is WorkerEnd.IDLE
    assert list(busy) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ray::TrialActor.__init__", "python3 ray/default_worker.py"])
def test_a_process_that_starts_is_no_idle_time(submission: Submission, tmp_path: Path, name: str) -> None:
    site = parse_site(SITE.format(idle=0), "x.yaml")
    title, *words = name.split()
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray/default_worker.py").touch()
    child = f"exec -a {title} tail -f {' '.join(words) or '/dev/null'}"
    process = subprocess.Popen(["bash", "-c", f"({child}) & wait"], cwd=tmp_path)
    node = RayNode(process, tmp_path)
    stop = Stop(None, 1)
    timer = threading.Timer(0.5, lambda: stop.handle(15, None))
    while not node.starting:
        time.sleep(0.01)
    started = psutil.Process(process.pid).children(recursive=True)  # they outlive their parent
    try:
        timer.start()
        assert stay(replace(submission, site=site), node, stop) is WorkerEnd.CANCELLED
    finally:
        timer.join()
        for left in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
        process.wait()


def test_it_leaves_when_all_is_done(submission: Submission, node: RayNode) -> None:
    submission.messages.publish(replace(JOINED, done=True))
    assert stay(submission, node) is WorkerEnd.DONE


def test_it_follows_a_new_driver(submission: Submission, node: RayNode) -> None:
    submission.messages.publish(replace(JOINED, driver="second", generation=2))
    assert stay(submission, node) is None


def test_it_looks_for_a_driver_when_its_ray_has_ended(submission: Submission, node: RayNode) -> None:
    node.process.kill()
    node.process.wait()
    assert stay(submission, node) is None


def test_it_leaves_if_its_time_is_too_short_for_a_trial(submission: Submission, node: RayNode) -> None:
    note_leave(submission.folder, "me", LeaveReason.TIME_LIMIT)
    assert stay(submission, node) is WorkerEnd.TIME_LIMIT


def test_a_cancelled_worker_writes_its_reason(submission: Submission, node: RayNode) -> None:
    stop = Stop(None, 30)
    stop.handle(15, None)
    assert stay(submission, node, stop) is WorkerEnd.CANCELLED
    assert (submission.folder.heartbeats / "me.left").exists()
    assert not node.alive


def test_a_worker_that_is_scaled_down_leaves_when_its_trials_have_ended(
    submission: Submission, node: RayNode
) -> None:
    submission.messages.workers.ask_to_drain(ALLOCATION.job_id)
    assert stay(submission, node) is WorkerEnd.SCALED_DOWN
    assert json.loads((submission.folder.heartbeats / "me.left").read_text())["kind"] == "scaled-down"


def test_a_signal_at_preemption_is_distinguished_from_cancelling(
    submission: Submission, node: RayNode
) -> None:
    slurm = FakeSlurm()
    slurm.jobs[ALLOCATION.job_id] = slurm.jobs.pop(slurm.add("w", state="RUNNING"))
    slurm.jobs[ALLOCATION.job_id].preempted = True
    stop = Stop(None, 30)
    stop.handle(15, None)
    preempted = Worker(submission, ALLOCATION, "me", stop, slurm.client())
    assert worker._stay(preempted, node, JOINED) is WorkerEnd.PREEMPTED


def test_the_note_of_a_signalled_worker_does_not_wait_for_slurm(
    submission: Submission, node: RayNode
) -> None:
    noted = []

    class Watched(FakeSlurm):
        def run(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
            noted.append(leave_note(submission.folder, "me"))
            return super().run(*arguments)  # type: ignore[arg-type]

    stop = Stop(None, 30)
    stop.handle(signal.SIGTERM, None)
    worker._stay(replace(worker_of(submission, stop), slurm=Watched().client()), node, JOINED)
    assert noted == [LeaveReason.CANCELLED]


def test_it_joins_a_head_that_is_new_or_renewed(submission: Submission) -> None:
    messages, me = submission.messages, worker_of(submission)
    messages.publish(replace(JOINED, address=""))
    started = threading.Timer(0.1, lambda: messages.publish(JOINED))
    started.start()
    assert worker._await_head(me, None) == JOINED
    started.join()
    assert worker._await_head(me, None) == JOINED
    messages.publish(replace(JOINED, beat=1))
    assert worker._await_head(me, JOINED) == replace(JOINED, beat=1)
    done = replace(JOINED, done=True)
    messages.publish(done)
    assert worker._await_head(me, done) == done


def test_it_ends_if_no_driver_comes(submission: Submission, monkeypatch: pytest.MonkeyPatch) -> None:
    submission.messages.publish(JOINED)
    seconds = iter((0.0, 10.0, 59.0, 61.0))
    monkeypatch.setattr("noisebench.slurm.worker.time.monotonic", lambda: next(seconds))
    assert worker._await_head(worker_of(submission), JOINED) is None


@pytest.mark.parametrize(
    ("variables", "job_id"),
    [
        ({"SLURM_JOB_ID": "12"}, "12"),
        ({"SLURM_JOB_ID": "12", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "2"}, "12_2"),
        ({"SLURM_JOB_ID": "14", "SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "0"}, "12_0"),
    ],
)
def test_a_task_of_an_array_names_itself_alone(variables: dict[str, str], job_id: str) -> None:
    assert allocation(variables).job_id == job_id


@pytest.mark.parametrize(
    ("variables", "ends_at"),
    [
        ({"SLURM_JOB_END_TIME": "5000", "NOISEBENCH_STARTED_AT": "1000"}, 5000.0),
        ({"NOISEBENCH_STARTED_AT": "1000"}, 1000.0 + 30 * 60),
        ({}, None),
    ],
)
def test_the_time_limit_is_known_without_asking_slurm(
    variables: dict[str, str], ends_at: float | None
) -> None:
    assert allocation({"SLURM_JOB_ID": "1", **variables}, minutes=30).ends_at == ends_at


def test_a_device_shared_by_n_trials_counts_n_times() -> None:
    assert worker.repeated("0,3", 2) == "0,0,3,3"
    assert worker.repeated("GPU-1", 3) == "GPU-1,GPU-1,GPU-1"


def test_with_mps_ray_and_its_trials_are_clients_of_the_daemon(submission: Submission, node: RayNode) -> None:
    text = SITE.format(idle=5).replace("count: 1", 'count: 1, trials_factor: 2, gpu_request: "--gres=gpu:2"')
    me = replace(
        worker_of(replace(submission, site=parse_site(text + "mps: true\n", "x.yaml"))),
        allocation=Allocation("7_1", 1, 2, None),
    )
    environment = {"CUDA_MPS_PIPE_DIRECTORY": "/tmp/pipe", "CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b"}
    daemon = MpsDaemon(node.process, environment)
    join = worker._join(me, JOINED, "10.0.0.2", None, daemon)
    assert join.environment["CUDA_MPS_PIPE_DIRECTORY"] == "/tmp/pipe"
    assert join.environment["CUDA_VISIBLE_DEVICES"] == "GPU-a,GPU-a,GPU-b,GPU-b"
    assert join.environment[GPU_COUNTS_VARIABLE] == "2"
    assert join.spared == {node.process.pid}


def test_without_mps_the_devices_of_the_job_are_shared(
    submission: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    text = SITE.format(idle=5).replace("count: 1", 'count: 1, trials_factor: 3, gpu_request: "--gres=gpu:2"')
    me = replace(
        worker_of(replace(submission, site=parse_site(text, "x.yaml"))),
        allocation=Allocation("7_1", 1, 2, None),
    )
    join = worker._join(me, JOINED, "10.0.0.2", None, None)
    assert (join.gpus, join.environment["CUDA_VISIBLE_DEVICES"]) == (6, "0,0,0,3,3,3")
    assert join.environment[GPU_COUNTS_VARIABLE] == "3"


def test_a_fault_of_mps_ends_the_worker(submission: Submission, node: RayNode) -> None:
    daemon = MpsDaemon(subprocess.Popen(["false"]), {})
    daemon.process.wait()
    with pytest.raises(EnvironmentFault, match="the daemon ended with code 1"):
        worker._stay(worker_of(submission), node, JOINED, daemon)
    assert leave_note(submission.folder, "me") is None, "the driver takes the node to be lost"


@pytest.mark.parametrize(("mps", "gpus"), [("true", 0), ("false", 2)])
def test_no_daemon_runs_without_gpus_or_where_the_site_wants_none(
    submission: Submission, mps: str, gpus: int
) -> None:
    text = SITE.format(idle=5).replace("count: 1", 'count: 1, gpu_request: "--gres=gpu:2"')
    site = parse_site(f"{text}mps: {mps}\n", "x.yaml")
    me = replace(worker_of(replace(submission, site=site)), allocation=Allocation("7_1", 1, gpus, None))
    with worker._mps(me) as daemon:
        assert daemon is None


@pytest.mark.parametrize("interfaces", [("lo",), ("ib7", "lo"), ("127.0.0.0/8",), ("10.99.0.0/16", "lo")])
def test_the_first_interface_that_exists_gives_the_address(interfaces: tuple[str, ...]) -> None:
    assert own_address(interfaces) == "127.0.0.1"


def test_missing_interfaces_are_named_with_the_existing_ones() -> None:
    with pytest.raises(EnvironmentFault, match=r"interface 'ib7', '10\.99\.0\.0/16' has no .* lo \(127"):
        own_address(("ib7", "10.99.0.0/16"))


def test_a_worker_that_never_stays_with_its_driver_ends_with_the_reason(
    submission: Submission, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    joins = []

    @contextmanager
    def unreachable(join: Join) -> Iterator[RayNode]:
        joins.append(join)
        submission.messages.publish(replace(JOINED, beat=len(joins)))
        process = subprocess.Popen(["false"])
        process.wait()
        yield RayNode(process, tmp_path)

    submission.messages.publish(replace(JOINED, beat=99))
    monkeypatch.setattr(worker, "worker_node", unreachable)
    monkeypatch.setattr(worker, "own_address", lambda _: "127.0.0.1")
    published = threading.Timer(0.1, lambda: submission.messages.publish(JOINED))
    published.start()
    with pytest.raises(EnvironmentFault, match="5 times within 60 s of joining it"):
        worker._lend(worker_of(submission), None, None)
    published.join()
    assert {join.head for join in joins} == {JOINED.address}
    assert len(joins) == worker.MAX_FAILED_JOINS


def test_outside_of_slurm_there_is_no_allocation() -> None:
    with pytest.raises(EnvironmentFault, match="SLURM_JOB_ID is not set"):
        allocation({})


def test_gpus_that_are_not_visible_are_a_fault(
    submission: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SITE.format(idle=5).replace("count: 1", 'count: 1, gpu_request: "--gres=gpu:v100:4"')
    lacking = replace(submission, site=parse_site(text, "x.yaml"))
    for name, value in {"SLURM_JOB_ID": "12", "CUDA_VISIBLE_DEVICES": "0,1"}.items():
        monkeypatch.setenv(name, value)
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_JOB_END_TIME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EnvironmentFault, match="asks for 4 GPUs, but CUDA_VISIBLE_DEVICES"):
        worker.work(lacking)
    assert "asks for 4 GPUs" in submission.messages.faults()["worker-12"]


def lend(submission: Submission, stop: Stop, wait_minutes: float = 5.0) -> WorkerEnd:
    """Lend a node to the driver that comes, at an address that every machine has."""
    site = replace(submission.site, interface=("lo",), head_wait_minutes=wait_minutes)
    return worker._lend(worker_of(replace(submission, site=site), stop), None, None)


@pytest.mark.parametrize(
    ("number", "ends_at", "end", "end_after_work"),
    [
        (signal.SIGTERM, None, WorkerEnd.CANCELLED, WorkerEnd.CANCELLED),
        (signal.SIGUSR2, None, WorkerEnd.PREEMPTED, WorkerEnd.PREEMPTED),
        (signal.SIGUSR2, 0.0, WorkerEnd.NO_DRIVER, WorkerEnd.TIME_LIMIT),
    ],
)
def test_a_signal_while_it_looks_for_a_driver(
    submission: Submission,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    ends_at: float | None,
    end: WorkerEnd,
    end_after_work: WorkerEnd,
) -> None:
    stop = Stop(ends_at, 30)
    stop.handle(number, None)
    assert lend(submission, stop) is end

    # It joins a driver, which goes away; the signal comes after that.
    later = Stop(ends_at, 30)
    monkeypatch.setattr(worker, "worker_node", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(worker, "_stay", lambda *_: later.handle(number, None))
    published = threading.Timer(0.1, lambda: submission.messages.publish(JOINED))
    published.start()
    assert lend(submission, later) is end_after_work
    published.join()


def test_it_leaves_if_no_driver_comes_or_the_sweep_is_done(submission: Submission) -> None:
    assert lend(submission, Stop(None, 30), wait_minutes=0.0) is WorkerEnd.NO_DRIVER
    submission.messages.publish(replace(JOINED, done=True))
    assert lend(submission, Stop(None, 30)) is WorkerEnd.DONE


def test_a_drained_worker_looks_for_no_driver(submission: Submission) -> None:
    submission.messages.workers.ask_to_drain(ALLOCATION.job_id)
    assert lend(submission, Stop(None, 30), wait_minutes=0.02) is WorkerEnd.SCALED_DOWN


@pytest.mark.parametrize("end", list(WorkerEnd))
@pytest.mark.parametrize("draining", [False, True])
def test_what_a_worker_asks_for_at_its_end(
    submission: Submission, monkeypatch: pytest.MonkeyPatch, end: WorkerEnd, draining: bool
) -> None:
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_JOB_END_TIME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setattr(worker, "_lend", lambda *_: end)
    messages = submission.messages
    if draining:
        messages.workers.ask_to_drain("12")
    assert worker.work(submission) == end
    assert messages.workers.wants_requeue("12") == (end in ("time-limit", "preempted") and not draining)
    assert messages.workers.count_unneeded() == int(end is WorkerEnd.IDLE)
