"""The client of Slurm: answers of several versions, commands that hang, commands that Slurm refuses."""

import subprocess
from pathlib import Path

import pytest

from noisebench.slurm.client import Slurm
from noisebench.slurm.command import ONCE, CommandMissing, Patience, SlurmRefused, SlurmUnavailable
from noisebench.slurm.inventory import Nodes, duration, parse_nodes
from tests.slurm.devcluster import Devcluster
from tests.slurm.fake_slurm import VERSIONS, FakeSlurm

NODE_LINES = [
    "main*|infinite|gpu:v100:4|4|8000|up|3",
    "long|2-12:00:00|gpu:a100:8(S:0-1),gpu:t4:1,nvme:800|64+|257000+|up|9",
    "debug|30:00|(null)|8|16000|drain|1",
]


@pytest.fixture(params=VERSIONS)
def fake(request: pytest.FixtureRequest) -> FakeSlurm:
    return FakeSlurm(request.param)


def test_a_command_is_repeated_if_the_controller_does_not_answer(fake: FakeSlurm) -> None:
    job_id = fake.add("w", state="RUNNING", node="node1")
    fake.fail("squeue", times=3)
    assert [job.job_id for job in fake.client().live_jobs(["w"])] == [job_id]
    assert fake.seconds == 1 + 2 + 5


def test_without_the_controller_the_jobs_are_unknown(fake: FakeSlurm) -> None:
    fake.fail("squeue", times=99)
    with pytest.raises(SlurmUnavailable):
        fake.client().live_jobs(["w"])


def test_a_command_that_hangs_has_a_time_limit(fake: FakeSlurm) -> None:
    job_id = fake.add("w", state="RUNNING")
    fake.hang("scontrol", times=99)
    assert fake.client().preempted_at(job_id) is None
    assert fake.seconds == ONCE.seconds


def test_a_refusal_is_not_repeated(fake: FakeSlurm) -> None:
    with pytest.raises(SlurmRefused, match="Invalid job id"):
        fake.client().requeue("7")
    assert len(fake.sent("scontrol")) == 1


def test_one_task_of_an_array_is_requeued_alone(fake: FakeSlurm, tmp_path: Path) -> None:
    script = tmp_path / "script.sh"
    script.write_text("#!/bin/bash\n#SBATCH --array=0-2%3\n#SBATCH --job-name=w\n")
    array = fake.client().submit(script)
    fake.client().requeue(f"{array}_1")
    assert [job.restarts for job in fake.jobs.values()] == [0, 1, 0]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script of an array of three tasks, and another job of this user."""
    script = tmp_path / "a script of its own.sh"
    script.write_text("#!/bin/bash\n#SBATCH --array=0-2%3\n#SBATCH --job-name=w\n")
    return script


@pytest.mark.parametrize("hangs", [False, True])
def test_a_submission_whose_answer_is_lost_is_not_repeated(
    fake: FakeSlurm, script: Path, hangs: bool
) -> None:
    fake.add("w", command=str(script.with_name("another.sh")))
    fake.lose_answer("sbatch", hangs=hangs)
    array = fake.client().submit(script)
    assert [job_id for job_id, job in fake.jobs.items() if job.command == str(script)] == [
        f"{array}_{task}" for task in range(3)
    ]
    assert len(fake.sent("sbatch")) == 1


def test_it_is_found_also_where_it_has_ended_at_once(fake: FakeSlurm, script: Path) -> None:
    job_id = fake.add("w", command=str(script), state="FAILED")
    fake.fail("sbatch")
    assert fake.client().submit(script) == job_id


def test_a_submission_that_slurm_does_not_have_is_repeated(fake: FakeSlurm, script: Path) -> None:
    fake.fail("sbatch", times=2)
    fake.fail("squeue", times=2)
    fake.client().submit(script)
    assert (len(fake.sent("sbatch")), len(fake.jobs)) == (3, 3)


def test_a_submission_is_not_repeated_where_the_queue_is_unknown(fake: FakeSlurm, script: Path) -> None:
    fake.lose_answer("sbatch")
    fake.hang("squeue", times=99)
    with pytest.raises(SlurmUnavailable):
        fake.client().submit(script)
    assert (len(fake.sent("sbatch")), len(fake.jobs)) == (1, 3)


@pytest.mark.slurm
def test_a_real_squeue_shows_the_script_of_a_job(
    cluster: Devcluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in cluster.environment.items():
        monkeypatch.setenv(key, value)
    script = cluster.folder / "a script of its own.sh"
    script.write_text("#!/bin/bash\n#SBATCH --array=0-1\n#SBATCH --output=/dev/null\nsleep 600\n")
    slurm = Slurm()
    assert slurm._accepted(script) is None
    array = slurm.submit(script)
    try:
        assert slurm._accepted(script) == array
    finally:
        slurm.cancel([array])


def test_a_held_job_is_recognised_and_released(fake: FakeSlurm) -> None:
    job_id = fake.add("w")
    fake.hold(job_id)
    client = fake.client()
    assert [(job.held, job.launch_failed) for job in client.live_jobs(["w"])] == [(True, True)]
    client.release(job_id)
    assert [job.held for job in client.live_jobs(["w"])] == [False]


def test_a_job_that_is_completing_counts_as_live(fake: FakeSlurm) -> None:
    fake.add("w", state="COMPLETING")
    fake.add("w", state="COMPLETED")
    jobs = fake.client().jobs(["w"], ended=True)
    assert [(job.live, job.ending) for job in jobs] == [(True, True), (False, False)]


def test_the_time_of_preemption(fake: FakeSlurm) -> None:
    job_id = fake.add("w", state="RUNNING")
    assert fake.client().preempted_at(job_id) is None
    fake.jobs[job_id].preempted = True
    assert fake.client().preempted_at(job_id) is not None


def test_expected_starts(fake: FakeSlurm) -> None:
    fake.add("w", state="RUNNING")
    job_id = fake.add("w")
    starts = fake.client().expected_starts(["w"])
    assert {job: start.isoformat() for job, start in starts.items()} == {job_id: "2030-01-02T03:04:05"}


def test_nodes_of_the_partitions(fake: FakeSlurm) -> None:
    main, long = fake.client().partitions()
    assert (main.gpus("v100"), main.minutes, main.is_default) == (4, None, True)
    assert (long.gpus(None), long.minutes) == (0, 7 * 24 * 60)


def test_associations(fake: FakeSlurm) -> None:
    mine = fake.client().associations("me")
    assert (mine.accounts, mine.default_account, mine.qos) == (("lab", "physics"), "lab", ("normal", "long"))


def test_commands_run_without_the_variables_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = ("SLURM_JOB_ID", "SBATCH_PARTITION", "SQUEUE_FORMAT", "SUBMITIT_EXECUTOR")
    for name in foreign:
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    monkeypatch.setenv("SLURM_TIME_FORMAT", "%A %H:%M")
    fake = FakeSlurm()
    fake.client().count_jobs()
    environment = fake.environments[0]
    assert not environment.keys() & set(foreign)
    assert environment["SLURM_CONF"] == "/etc/slurm.conf"
    assert environment["SLURM_TIME_FORMAT"] == "standard"


def test_a_missing_command_is_named() -> None:
    with pytest.raises(CommandMissing, match="nothing: command not found"):
        Slurm().call("nothing", patience=Patience(5, (60,)))


def test_a_real_command_that_hangs_is_ended() -> None:
    with pytest.raises(SlurmUnavailable, match="no answer within"):
        Slurm().call("sh", "-c", "sleep 600; true", patience=Patience(0.2))


def test_a_real_command_that_fails_gives_its_message() -> None:
    with pytest.raises(SlurmRefused, match="no such folder"):
        Slurm().call("sh", "-c", "echo no such folder >&2; exit 3")


def test_answers_that_cannot_be_read_are_no_job_ids(tmp_path: Path) -> None:
    def run(*_: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess([], 0, "welcome\n", "")

    with pytest.raises(SlurmRefused, match="no job id"):
        Slurm(run).submit(tmp_path / "x.sh")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:30", 30),
        ("4:59", 299),
        ("1:02:03", 3723),
        ("2-00:00:01", 172801),
        ("UNLIMITED", None),
        ("INVALID", None),
        ("", None),
    ],
)
def test_durations(text: str, seconds: int | None) -> None:
    assert duration(text) == seconds


def test_lines_of_sinfo() -> None:
    main, long, debug = parse_nodes(NODE_LINES)
    assert main == Nodes("main", True, None, "gpu:v100:4", 4, 8000, True, 3)
    assert (long.minutes, long.cpus, long.memory_mb) == (60 * 60, 64, 257000)
    assert (debug.minutes, debug.available) == (30, False)


def test_gpus_of_a_kind() -> None:
    main, long, debug = parse_nodes(NODE_LINES)
    assert [nodes.gpus(None) for nodes in (main, long, debug)] == [4, 9, 0]
    assert [long.gpus(kind) for kind in ("a100", "t4", "v100")] == [8, 1, 0]
