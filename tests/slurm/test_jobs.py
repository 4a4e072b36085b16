"""The jobs of submitted sweeps: their counts, the wait for their end, their number."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from noisebench.cli.status import _print_jobs
from noisebench.errors import InputError
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.slurm.answers import Job
from noisebench.slurm.control import cancel, drain, scale
from noisebench.slurm.job_logs import driver_logs, worker_log
from noisebench.slurm.jobs import jobs_of, summary, wait_for_jobs
from noisebench.slurm.messages import Messages
from noisebench.slurm.protocol import Kept
from noisebench.slurm.submission import job_name
from tests.slurm.fake_slurm import FakeSlurm

SITE = "site: x\ndriver: {minutes: 60}\nworkers: {minutes: 30, count: 1}\nlimits: {jobs: 10}\n"


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    """A sweep that was submitted."""
    folder = ResultsFolder(tmp_path).sweep("test")
    messages = Messages(folder)
    messages.begin()
    messages.keep_site(SITE)
    messages.keep_submission(Kept("x", None, "2030-01-01T00:00:00+00:00", "abc"))
    return folder


def test_the_standby_is_distinguished_from_the_driver() -> None:
    jobs = [
        Job("1", "d", "RUNNING", "node1", "None"),
        Job("2", "d", "PENDING", "", "Dependency"),
        Job("3_0", "w", "RUNNING", "node2", "None"),
        Job("3_1", "w", "PENDING", "", "Resources"),
        Job("3_2", "w", "PENDING", "", "Priority"),
        Job("3_3", "w", "PENDING", "", "Priority"),
    ]
    starts = {"3_2": datetime(2030, 1, 2), "3_3": datetime(2030, 1, 1)}
    found = summary(jobs, "d", starts, {}, changed=False)
    assert found.as_dict() == {
        "driver": "1",
        "driver_state": "running",
        "standby": "2",
        "workers_running": 1,
        "workers_waiting": 3,
        "reasons": ["Priority", "Resources"],
        "held": {},
        "expected_start": "2030-01-01T00:00:00",
        "ended": {},
    }
    assert found.live
    assert not summary([], "d", {}, {"driver": {"FAILED": 1}}, changed=False).live


def test_a_held_job_is_shown_with_its_reason(folder: SweepFolder) -> None:
    slurm = FakeSlurm()
    job_id = slurm.add(job_name(folder, "driver"))
    slurm.hold(job_id)
    found = jobs_of(folder.results, ["test"], slurm.client())["test"].as_dict()
    assert found["held"] == {job_id: "launch failed requeued held"}


def state_of(held: dict[str, str]) -> dict[str, Any]:
    """Return a state of `status` with these held jobs, or, without any, with no job left."""
    jobs = [Job(job, "w", "PENDING", "", reason) for job, reason in held.items()]
    found = summary(jobs, "d", {}, {}, changed=False)
    return {"sweep": "test", "pending": 1, "faults": {}, "jobs": found.as_dict()}


def test_status_says_how_a_held_job_is_released(capsys: pytest.CaptureFixture[str]) -> None:
    _print_jobs(state_of({"1": "JobHeldUser", "2": "JobHoldMaxRequeue"}))
    output = capsys.readouterr().out
    assert "job 1 is held (JobHeldUser): `scontrol release 1` releases it" in output
    assert "(JobHoldMaxRequeue): `noisebench resume test` or `scontrol release 2` releases it" in output


def test_status_says_how_a_sweep_without_jobs_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    _print_jobs(state_of({}))
    assert "no job is left: `noisebench resume test` sends new ones" in capsys.readouterr().out


def test_one_call_asks_for_the_jobs_of_all_sweeps(folder: SweepFolder) -> None:
    slurm = FakeSlurm()
    slurm.add(job_name(folder, "driver"), state="RUNNING")
    assert jobs_of(folder.results, ["test", "never-submitted"], slurm.client()).keys() == {"test"}
    assert len(slurm.calls) == 1


def test_ended_jobs_of_this_submission_are_counted_with_one_call(folder: SweepFolder) -> None:
    slurm = FakeSlurm()
    slurm.add(job_name(folder, "driver"), state="COMPLETED")
    slurm.add(job_name(folder, "worker"), state="CANCELLED")
    slurm.add(job_name(folder, "worker"), state="CANCELLED")
    slurm.add(job_name(folder, "worker"), state="FAILED", submitted="2029-12-31T00:00:00")
    other = folder.results.sweep("other")
    Messages(other).begin()
    Messages(other).keep_submission(Kept("x", None, "2030-01-01T00:00:00+00:00", "abc"))
    found = jobs_of(folder.results, ["test", "other"], slurm.client())
    assert found["test"].ended == {"driver": {"COMPLETED": 1}, "worker": {"CANCELLED": 2}}
    assert found["other"].ended == {"driver": {}, "worker": {}}
    assert len(slurm.sent("sacct")) == 1


def test_slurm_is_not_asked_about_what_was_never_submitted(tmp_path: Path) -> None:
    slurm = FakeSlurm()
    assert jobs_of(ResultsFolder(tmp_path), ["test"], slurm.client()) == {}
    with pytest.raises(InputError, match="was not submitted to Slurm"):
        cancel(ResultsFolder(tmp_path).sweep("test"), slurm=slurm.client())
    assert slurm.calls == []


def test_waiting_continues_while_slurm_does_not_answer(folder: SweepFolder) -> None:
    slurm = FakeSlurm()
    job_id = slurm.add(job_name(folder, "worker"), state="RUNNING")
    slurm.fail("squeue", times=30)
    looks = 0

    def run(*arguments: object) -> object:
        nonlocal looks
        looks += 1
        if looks == 40:
            slurm.jobs[job_id].state = "COMPLETED"
        return FakeSlurm.run(slurm, *arguments)  # type: ignore[arg-type]

    slurm.run = run  # type: ignore[assignment,method-assign]
    wait_for_jobs(folder, slurm.client(), look_seconds=0)
    assert looks == 40


def test_a_live_sweep_is_scaled(folder: SweepFolder) -> None:
    slurm = FakeSlurm()
    with pytest.raises(InputError, match="has no driver in the queue"):
        scale(folder, 3, slurm.client())
    slurm.add(job_name(folder, "driver"))
    with pytest.raises(InputError, match="at most 8"):
        scale(folder, 9, slurm.client())
    scale(folder, 8, slurm.client())
    request = Messages(folder).scale_request()
    assert (request and request.workers) == 8


def test_the_logs_of_jobs_by_their_role(folder: SweepFolder) -> None:
    jobs = Messages(folder).jobs_folder
    names = {"9": "driver", "10": "driver", "11": "worker", "7": "worker"}
    for job, role in names.items():
        script = f"#SBATCH --job-name={job_name(folder, role)}\n#SBATCH --mem=1G\n"
        (jobs / f"{job}_submission.sh").write_text(script)
    for log in ("10", "9", "11_0", "11_10", "7"):
        (jobs / f"{log}_0_log.out").write_text(log)
    assert [path.read_text() for path in driver_logs(folder)] == ["9", "10"]
    assert worker_log(folder, "11_10").read_text() == "11_10"
    with pytest.raises(InputError, match="has no worker '9'; known: 7, 11_0, 11_10"):
        worker_log(folder, "9")


def test_a_drained_sweep_lets_its_trials_end_before_its_driver(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noisebench.slurm.control._LOOK_SECONDS", 0.01)
    slurm = FakeSlurm()
    driver = slurm.add(job_name(folder, "driver"), state="RUNNING")
    worker = slurm.add(job_name(folder, "worker"), state="RUNNING")
    seen = []

    def on_wait(left: list[Job]) -> None:
        seen.append([job.job_id for job in left])
        request = Messages(folder).scale_request()
        assert (len(seen) < 9, request and request.workers) == (True, 0)
        slurm.jobs[worker].state = "COMPLETED"

    waiting = slurm.add(job_name(folder, "worker"))
    assert drain(folder, on_wait, slurm.client()) == 2
    assert seen == [[worker], [driver]]
    assert (slurm.jobs[worker].state, slurm.jobs[driver].state) == ("COMPLETED", "CANCELLED")
    assert (slurm.jobs[waiting].state, Messages(folder).workers.is_draining(worker)) == ("CANCELLED", True)
    assert not Messages(folder).token.exists()
    with pytest.raises(InputError, match="has no driver in the queue"):
        drain(folder, slurm=slurm.client())


def test_draining_waits_for_no_job_that_waits(folder: SweepFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noisebench.slurm.control._LOOK_SECONDS", 0.01)
    slurm = FakeSlurm()
    waiting = [slurm.add(job_name(folder, role)) for role in ("driver", "worker")]

    def on_wait(left: list[Job]) -> None:
        pytest.fail(f"it waits for {left}")

    drain(folder, on_wait, slurm.client())
    assert {slurm.jobs[job].state for job in waiting} == {"CANCELLED"}


def test_a_drained_worker_that_is_back_in_the_queue_is_cancelled(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noisebench.slurm.control._LOOK_SECONDS", 0.01)
    slurm = FakeSlurm()
    slurm.add(job_name(folder, "driver"), state="RUNNING")
    worker = slurm.add(job_name(folder, "worker"), state="RUNNING")
    looks: list[list[Job]] = []

    def on_wait(left: list[Job]) -> None:
        looks.append(left)
        assert len(looks) < 9
        if len(looks) == 1:
            slurm.jobs[worker].state = "PENDING"

    drain(folder, on_wait, slurm.client())
    assert slurm.jobs[worker].state == "CANCELLED"
