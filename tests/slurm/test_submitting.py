"""A submission on a fake Slurm: the chain of its jobs, and no job left if sending fails."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from noisebench.cli.slurm import print_submitted
from noisebench.errors import EnvironmentFault, InputError
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.slurm.messages import Messages
from noisebench.slurm.site import parse_site
from noisebench.slurm.submission import job_name
from noisebench.slurm.submit import Request, Submitted, submit
from tests.slurm.fake_slurm import VERSIONS, FakeSlurm
from tests.trials import sweep_of

POOL = "{minutes: 30, count: 3, cpus: 1}"
SITE = f"site: x\ndriver: {{minutes: 60}}\nworkers: {POOL}\nlimits: {{array_size: 2}}\n"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return ResultsFolder(tmp_path / "results").sweep("test")


def submitted(folder: SweepFolder, fake: FakeSlurm, workers: int | None = None) -> Submitted:
    request = Request(workers=workers)
    return submit(sweep_of(seeds="9"), parse_site(SITE, "x.yaml"), folder.results, request, fake.client())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_chain_of_jobs(folder: SweepFolder, version: str) -> None:
    fake = FakeSlurm(version)
    sent = submitted(folder, fake)
    assert sent.jobs == [("driver", "101"), ("standby", "102"), ("workers", "103"), ("workers", "104")]
    assert {job_id: job.dependency for job_id, job in fake.jobs.items()} == {
        "101": "singleton",
        "102": "afternotok:101,singleton",
        "103_0": "after:101",
        "103_1": "after:101",
        "104": "after:101",
    }
    arguments = {path.name for path in Messages(folder).jobs_folder.glob("*.pkl")}
    assert arguments == {"driver-1.pkl", "driver-2.pkl", "worker-0.pkl"}


def test_workers_of_two_pools(folder: SweepFolder) -> None:
    fake = FakeSlurm()
    site = parse_site(SITE.replace(POOL, f"[{POOL}, {{minutes: 60, count: 2, cpus: 1}}]"), "x.yaml")
    sent = submit(sweep_of(seeds="9"), site, folder.results, Request(), fake.client())
    arrays = [job for role, job in sent.jobs if role == "workers"]
    assert [Messages(folder).workers.pool_of(f"{array}_0") for array in arrays] == [0, 0, 1]
    assert sum(job.name == job_name(folder, "worker") for job in fake.jobs.values()) == 5


def test_as_many_workers_as_requested(folder: SweepFolder) -> None:
    fake = FakeSlurm()
    submitted(folder, fake, workers=5)
    assert sum(job.name == job_name(folder, "worker") for job in fake.jobs.values()) == 5


@pytest.mark.slow
def test_no_more_workers_than_the_users_other_jobs_leave_room_for(
    folder: SweepFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeSlurm()
    site = parse_site(SITE.replace("array_size: 2", "array_size: 2, jobs: 6"), "x.yaml")
    others = [fake.add("other", state=state) for state in ("PENDING", "RUNNING", "COMPLETED")]
    sent = submit(sweep_of(seeds="9"), site, folder.results, Request(), fake.client())
    workers = [job for job in fake.jobs.values() if job.name == job_name(folder, "worker")]
    assert (len(workers), sent.left_out) == (2, 1)
    print_submitted("test", sent, as_json=False)
    assert "1 workers were not sent: your other jobs leave no room" in capsys.readouterr().err
    for _ in range(2):
        fake.jobs[others[-1]].state = "RUNNING"
        others.append(fake.add("other", state="RUNNING"))
    with pytest.raises(EnvironmentFault, match="no room for a driver, its standby and a worker"):
        submit(sweep_of("GCE", name="more"), site, folder.results, Request(), fake.client())


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_a_refused_job_leaves_none_behind(folder: SweepFolder, limit: int) -> None:
    fake = FakeSlurm(job_limit=limit)
    with pytest.raises(EnvironmentFault, match="QOS policy"):
        submitted(folder, fake)
    assert {job.state for job in fake.jobs.values()} == {"CANCELLED"}
    assert Messages(folder).kept_submission() is None


class InterruptedSlurm(FakeSlurm):
    """Ctrl-C comes while the third job is sent."""

    def run(self, words: Sequence[str], seconds: float, environment: Mapping[str, str]):  # type: ignore[no-untyped-def]
        """Answer one command, or be interrupted."""
        if words[0] == "sbatch" and len(self.sent("sbatch")) == 2:
            self.calls.append(tuple(words))
            raise KeyboardInterrupt
        return super().run(words, seconds, environment)


def test_ctrl_c_leaves_no_job_behind(folder: SweepFolder) -> None:
    fake = InterruptedSlurm()
    with pytest.raises(KeyboardInterrupt):
        submitted(folder, fake)
    assert [job.state for job in fake.jobs.values()] == ["CANCELLED", "CANCELLED"]


def test_a_live_sweep_is_not_submitted_twice(folder: SweepFolder) -> None:
    fake = FakeSlurm()
    submitted(folder, fake)
    with pytest.raises(InputError, match="sweep 'test' is submitted already"):
        submitted(folder, fake)


def test_held_jobs_of_a_live_sweep_are_released(folder: SweepFolder) -> None:
    fake = FakeSlurm()
    submitted(folder, fake)
    fake.hold("101")
    fake.hold("103_1")
    again = submitted(folder, fake)
    assert (again.jobs, again.released) == ([], ("101", "103_1"))
    assert fake.sent("scontrol") == [("release", "101"), ("release", "103_1")]


@pytest.mark.parametrize("reason", ["JobHoldMaxRequeue", "job requeued in held state"])
def test_what_slurm_holds_for_other_reasons_is_released_too(folder: SweepFolder, reason: str) -> None:
    fake = FakeSlurm()
    submitted(folder, fake)
    fake.jobs["103_1"].reason = reason
    assert submitted(folder, fake).released == ("103_1",)


@pytest.mark.parametrize("reason", ["JobHeldUser", "JobHeldAdmin"])
def test_what_a_person_holds_stays_held(folder: SweepFolder, reason: str) -> None:
    fake = FakeSlurm()
    submitted(folder, fake)
    fake.jobs["103_1"].reason = reason
    with pytest.raises(InputError, match="is submitted already"):
        submitted(folder, fake)
    assert fake.sent("scontrol") == []


def test_failed_trials_of_a_submission_need_no_site_to_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    print_submitted("test", Submitted([], 0, failed=2), as_json=False)
    assert "2 failed: `noisebench resume test` runs them again" in capsys.readouterr().err


@pytest.mark.slow
def test_a_sweep_is_submitted_while_its_last_jobs_end(folder: SweepFolder) -> None:
    fake = FakeSlurm()
    submitted(folder, fake)
    for job in fake.jobs.values():
        job.state = "COMPLETING"
    assert submitted(folder, fake).jobs != []


def test_an_unknown_queue_submits_nothing(folder: SweepFolder) -> None:
    fake = FakeSlurm()
    fake.fail("squeue", times=99)
    with pytest.raises(EnvironmentFault, match="squeue"):
        submitted(folder, fake)
    assert fake.sent("sbatch") == []
