"""The driver's rounds on a fake Slurm: held, lost and missing jobs; no failure of Slurm cancels a job."""

from pathlib import Path

import pytest

from noisebench.errors import EnvironmentFault
from noisebench.records.folders import ResultsFolder
from noisebench.slurm import supervisor
from noisebench.slurm.protocol import WorkerEnd
from noisebench.slurm.site import parse_site
from noisebench.slurm.submission import Submission
from noisebench.slurm.supervisor import Roles, Supervisor
from tests.slurm.fake_slurm import LIVE, VERSIONS, FakeSlurm

SITE = "site: x\ndriver: {minutes: 60}\nworkers: {minutes: 30, count: 3}\n"
TWO_POOLS = "site: x\ndriver: {minutes: 60}\nworkers: [{minutes: 30, count: 3}, {minutes: 60, count: 2}]\n"


def job_function(_: Submission) -> None:
    """Stand for what a job does."""


class Scene:
    """A sweep with a running driver on a fake Slurm; `settled` trials have ended."""

    def __init__(self, folder: Path, version: str = "22.05", site: str = SITE) -> None:
        self.slurm = FakeSlurm(version)
        sweep = ResultsFolder(folder).sweep("test")
        self.submission = Submission(sweep, parse_site(site, "x.yaml"), workers=3)
        self.submission.messages.begin()
        self.names = {role: self.submission.job_name(role) for role in ("driver", "worker")}
        self.driver = self.slurm.add(self.names["driver"], state="RUNNING", node="node1")
        self.settled = 0
        self.fillable = 99
        self.given_up = False
        settled, fillable = (lambda: self.settled), (lambda: self.fillable)
        roles = Roles(job_function, job_function, settled, fillable, self._give_up)
        self.supervisor = Supervisor(self.submission, self.driver, self.slurm.client(), roles)

    def _give_up(self) -> None:
        self.given_up = True

    def add_workers(self, count: int = 3, state: str = "RUNNING") -> list[str]:
        return [self.slurm.add(self.names["worker"], state=state) for _ in range(count)]

    def end_worker(self, state: str) -> None:
        """End the worker that was sent last."""
        names = self.names["worker"]
        last = [job for job in self.slurm.jobs.values() if job.name == names][-1]
        last.state = state

    def live(self) -> int:
        return sum(state in LIVE for state in self.states())

    def states(self, role: str = "worker") -> list[str]:
        return [job.state for job in self.slurm.jobs.values() if job.name == self.names[role]]

    def rounds(self, count: int = 1) -> None:
        for _ in range(count):
            self.supervisor.round()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_without_faults_nothing_is_changed(scene: Scene) -> None:
    scene.add_workers()
    scene.rounds()
    assert scene.states("driver") == ["RUNNING", "PENDING"], "the standby was missing"
    scene.rounds(5)
    assert [words[0] for words in scene.slurm.calls].count("sbatch") == 1
    assert {words[0] for words in scene.slurm.calls} == {"squeue", "sbatch"}


def test_workers_are_sent_where_none_waits_or_runs(scene: Scene) -> None:
    scene.rounds(supervisor.SHORT_ROUNDS)
    assert scene.states() == ["PENDING"] * 3
    assert {job.dependency for job in scene.slurm.jobs.values() if job.name == scene.names["worker"]} == {""}


def test_workers_that_are_requeued_behind_a_long_epilog_are_not_replaced(scene: Scene) -> None:
    scene.add_workers(3, state="COMPLETING")
    scene.rounds(10)
    assert scene.states() == ["COMPLETING"] * 3


def test_it_gives_up_when_new_workers_leave_without_a_result(scene: Scene) -> None:
    for _ in range(supervisor.MAX_SENDS):
        scene.rounds(supervisor.SHORT_ROUNDS)
        for job in scene.slurm.jobs.values():
            job.state = "FAILED" if job.name == scene.names["worker"] else job.state
    assert not scene.given_up
    scene.rounds(supervisor.SHORT_ROUNDS)
    assert scene.given_up


@pytest.mark.parametrize("error", [EnvironmentFault("squeue: no answer"), OSError("no space left")])
def test_an_error_while_it_gives_up_does_not_end_its_rounds(
    scene: Scene, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "MAX_SENDS", 0)
    tries = 0

    def fail() -> None:
        nonlocal tries
        tries += 1
        raise error

    roles = Roles(job_function, job_function, lambda: 0, lambda: 1, fail)
    own = Supervisor(scene.submission, scene.driver, scene.slurm.client(), roles)
    for _ in range(supervisor.SHORT_ROUNDS + 1):
        own.round()
    assert tries == 2


def test_it_continues_to_send_workers_while_trials_end(scene: Scene) -> None:
    for _ in range(3 * supervisor.MAX_SENDS):
        scene.rounds(supervisor.SHORT_ROUNDS)
        scene.settled += 1
        for job in scene.slurm.jobs.values():
            job.state = "FAILED" if job.name == scene.names["worker"] else job.state
    assert not scene.given_up


@pytest.mark.parametrize("version", VERSIONS)
def test_held_jobs_are_released_a_bounded_number_of_times(tmp_path: Path, version: str) -> None:
    scene = Scene(tmp_path, version)
    (worker,) = scene.add_workers(1)
    for _ in range(3 * supervisor.MAX_RELEASES):
        scene.slurm.hold(worker)
        scene.rounds()
    released = [words for words in scene.slurm.sent("scontrol") if words[0] == "release"]
    assert released == [("release", worker)] * supervisor.MAX_RELEASES


def test_a_job_that_a_person_holds_stays_held(scene: Scene) -> None:
    (worker,) = scene.add_workers(1, state="PENDING")
    scene.slurm.jobs[worker].reason = "JobHeldUser"
    scene.rounds(3)
    assert scene.slurm.sent("scontrol") == []


@pytest.mark.parametrize(
    ("state", "asked", "requeued"),
    [
        ("PREEMPTED", False, True),
        ("COMPLETED", True, True),
        ("TIMEOUT", True, True),
        ("COMPLETED", False, False),
        ("CANCELLED", True, False),
        ("RUNNING", True, False),
    ],
)
def test_workers_that_could_not_requeue_themselves(
    scene: Scene, state: str, asked: bool, requeued: bool
) -> None:
    others = scene.add_workers(2)
    (worker,) = scene.add_workers(1, state)
    if asked:
        scene.submission.messages.workers.ask_for_requeue(worker, WorkerEnd.TIME_LIMIT)
    scene.rounds()
    assert scene.slurm.jobs[worker].restarts == int(requeued)
    assert [scene.slurm.jobs[other].restarts for other in others] == [0, 0]


def test_a_refused_standby_is_sent_in_a_later_round(scene: Scene) -> None:
    scene.add_workers()
    scene.slurm.fail("sbatch", "Batch job submission failed: Job violates accounting/QOS policy", times=2)
    scene.rounds(2)
    assert scene.states("driver") == ["RUNNING"]
    scene.rounds()
    assert scene.states("driver") == ["RUNNING", "PENDING"]
    assert scene.states() == ["RUNNING"] * 3
    assert scene.slurm.sent("scancel") == []


def test_two_minutes_without_squeue_change_nothing(scene: Scene) -> None:
    scene.add_workers()
    scene.rounds()
    before = {job_id: job.state for job_id, job in scene.slurm.jobs.items()}
    calls = len(scene.slurm.calls)
    scene.slurm.hang("squeue", times=6)
    scene.rounds(2)
    assert scene.slurm.seconds > 120
    assert {words[0] for words in scene.slurm.calls[calls:]} == {"squeue"}
    assert {job_id: job.state for job_id, job in scene.slurm.jobs.items()} == before
    scene.rounds(5)
    assert not scene.given_up


def test_a_scontrol_that_hangs_prevents_no_other_step(scene: Scene) -> None:
    (worker,) = scene.add_workers(1)
    scene.slurm.hold(worker)
    scene.slurm.hang("scontrol", times=99)
    scene.rounds()
    assert scene.states("driver") == ["RUNNING", "PENDING"]


def test_scaled_up(scene: Scene) -> None:
    scene.add_workers()
    scene.submission.messages.ask_for_workers(5)
    scene.rounds(4)
    assert scene.states() == ["RUNNING"] * 3 + ["PENDING"] * 2


def test_scaled_up_where_a_pool_has_room(tmp_path: Path) -> None:
    scene = Scene(tmp_path, site=TWO_POOLS)
    scene.add_workers(3)
    messages = scene.submission.messages
    messages.ask_for_workers(5)
    scene.rounds(2)
    (array,) = {job_id.split("_")[0] for job_id in scene.slurm.jobs if "_" in job_id}
    assert messages.workers.pool_of(array) == 1
    assert scene.states() == ["RUNNING"] * 3 + ["PENDING"] * 2


def test_scaled_down_cancels_what_waits_and_drains_what_runs(scene: Scene) -> None:
    running = scene.add_workers(2)
    (waiting,) = scene.add_workers(1, state="PENDING")
    messages = scene.submission.messages
    messages.ask_for_workers(1)
    scene.rounds(4)
    assert scene.slurm.jobs[waiting].state == "CANCELLED"
    assert [messages.workers.is_draining(job) for job in running] == [True, False]
    assert [scene.slurm.jobs[job].state for job in running] == ["RUNNING", "RUNNING"]


def test_scaled_to_zero_it_waits_until_it_is_scaled_up(scene: Scene) -> None:
    scene.submission.messages.ask_for_workers(0)
    scene.rounds(10)
    assert (scene.states(), scene.given_up) == ([], False)
    scene.submission.messages.ask_for_workers(2)
    scene.rounds()
    assert scene.states() == ["PENDING"] * 2


@pytest.mark.parametrize("state", ["FAILED", "NODE_FAIL", "COMPLETED"])
def test_lost_workers_are_replaced_while_others_stay(scene: Scene, state: str) -> None:
    scene.add_workers(2)
    scene.add_workers(1, state)
    scene.rounds(supervisor.SHORT_ROUNDS - 1)
    assert scene.live() == 2, "one that is being requeued is missing for a moment"
    scene.rounds()
    assert scene.live() == 3
    scene.rounds(5)
    assert scene.live() == 3


def test_the_number_that_was_asked_for_is_kept(scene: Scene) -> None:
    lost = scene.add_workers(5)[1:]
    messages = scene.submission.messages
    messages.ask_for_workers(5)
    scene.rounds()
    for job in lost:
        scene.slurm.jobs[job].state = "FAILED"
    scene.rounds(supervisor.SHORT_ROUNDS)
    assert scene.live() == 5


def test_no_more_workers_are_sent_than_the_trials_that_are_left_can_fill(scene: Scene) -> None:
    scene.add_workers(1)
    scene.fillable = 2
    scene.rounds(4)
    assert scene.live() == 2
    scene.submission.messages.ask_for_workers(9)
    scene.rounds(4)
    assert scene.live() == 2


def test_a_worker_on_a_broken_node_is_not_sent_for_ever(scene: Scene) -> None:
    scene.add_workers(2)
    for _ in range(20):
        scene.rounds(supervisor.SHORT_ROUNDS)
        scene.settled += 1
        if scene.live() == 3:
            scene.end_worker("FAILED")
    assert (scene.states(), scene.given_up) == (["RUNNING"] * 2 + ["FAILED"] * supervisor.MAX_SENDS, False)
    messages = scene.submission.messages
    assert "1 workers are missing" in messages.faults()[f"driver-{scene.driver}"]
    messages.ask_for_workers(3)
    scene.rounds()
    assert (scene.live(), messages.faults()) == (3, {})


def test_workers_are_replaced_again_once_one_has_stayed(scene: Scene) -> None:
    scene.add_workers(2)
    for _ in range(2 * supervisor.MAX_SENDS):
        scene.rounds(supervisor.SHORT_ROUNDS)
        scene.end_worker("RUNNING")
        scene.rounds(supervisor.STAY_ROUNDS)
        scene.end_worker("FAILED")
    scene.rounds(supervisor.SHORT_ROUNDS)
    assert scene.live() == 3


def test_neither_idle_nor_cancelled_workers_are_replaced(scene: Scene) -> None:
    scene.add_workers(1)
    scene.add_workers(1, "CANCELLED")
    (idle,) = scene.add_workers(1, "COMPLETED")
    messages = scene.submission.messages
    messages.workers.note_unneeded(idle)
    scene.rounds(5)
    assert scene.live() == 1
    messages.ask_for_workers(3)
    scene.rounds(3)
    assert scene.live() == 3, "asked for as many again"


def test_replacements_keep_to_how_many_may_run_at_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, site=SITE.replace("count: 3", "count: 3, at_once: 2"))
    scene.add_workers(2)
    scene.rounds(5)
    assert scene.live() == 2
    scene.end_worker("FAILED")
    scene.rounds(5)
    assert scene.live() == 2


def test_a_new_driver_keeps_to_what_the_last_one_was_asked_for(scene: Scene) -> None:
    messages = scene.submission.messages
    messages.ask_for_workers(4)
    scene.add_workers(2)
    (idle,) = scene.add_workers(1, "COMPLETED")
    messages.workers.note_unneeded(idle)
    roles = Roles(job_function, job_function, lambda: 0, lambda: 99, scene._give_up)
    successor = Supervisor(scene.submission, scene.driver, scene.slurm.client(), roles)
    for _ in range(5):
        successor.round()
    assert scene.live() == 3


@pytest.mark.parametrize("state", ["PREEMPTED", "TIMEOUT"])
def test_a_drained_worker_does_not_come_back(scene: Scene, state: str) -> None:
    (worker,) = scene.add_workers(1)
    messages = scene.submission.messages
    messages.ask_for_workers(0)
    scene.rounds()
    messages.workers.ask_for_requeue(worker, WorkerEnd.PREEMPTED)
    scene.slurm.jobs[worker].state = state
    scene.rounds(2)
    assert (scene.slurm.jobs[worker].state, scene.slurm.jobs[worker].restarts) == (state, 0)


def test_a_drained_worker_that_waits_again_is_cancelled(scene: Scene) -> None:
    (worker,) = scene.add_workers(1)
    scene.submission.messages.ask_for_workers(0)
    scene.rounds()
    scene.slurm.jobs[worker].state = "PENDING"
    scene.rounds()
    assert scene.slurm.jobs[worker].state == "CANCELLED"
