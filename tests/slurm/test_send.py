"""Every job that Slurm has accepted finds its arguments, also where its answer was lost."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from noisebench.errors import EnvironmentFault
from noisebench.records.folders import ResultsFolder
from noisebench.slurm.send import send_driver, send_workers
from noisebench.slurm.site import parse_site
from noisebench.slurm.submission import Submission
from tests.slurm.fake_slurm import FakeJob, FakeSlurm

SITE = "site: x\ndriver: {minutes: 60}\nworkers: [{minutes: 30, count: 2}, {minutes: 60, count: 1}]\n"
# The command comes after --unbuffered, --output and its value, --cpus-per-task.
SRUN = '#!/bin/bash\nexec "${@:5}"\n'


def job_function(submission: Submission) -> None:
    """Say whose arguments these are."""
    print(f"driver {submission.number}, pool {submission.pool}")


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    sweep = ResultsFolder(tmp_path / "my results").sweep("test")
    submission = Submission(sweep, parse_site(SITE, "x.yaml"), workers=3)
    submission.messages.begin()
    return submission


def output_of(job_id: str, job: FakeJob, folder: Path) -> str:
    """Run a job's script as Slurm does, from its own copy; return what the job printed."""
    srun = folder / "bin/srun"
    srun.parent.mkdir(exist_ok=True)
    srun.write_text(SRUN)
    srun.chmod(0o755)
    array, _, task = job_id.partition("_")
    own = {"SLURM_JOB_ID": array, "PATH": f"{srun.parent}:{os.environ['PATH']}"}
    if task:
        own |= {"SLURM_ARRAY_JOB_ID": array, "SLURM_ARRAY_TASK_ID": task}
    done = subprocess.run(
        ["bash"], input=job.script, env={**os.environ, **own}, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.slow
def test_all_jobs_find_their_arguments(submission: Submission, tmp_path: Path) -> None:
    fake = FakeSlurm()
    driver = send_driver(submission, job_function, fake.client())
    send_workers(submission, job_function, fake.client(), 3, driver=driver)
    found = {}
    for job_id, job in fake.jobs.items():
        (found[job_id],) = re.findall(r"driver \d, pool \d", output_of(job_id, job, tmp_path))
    first = "driver 1, pool 0"
    assert found == {"101": first, "102_0": first, "102_1": first, "103": "driver 1, pool 1"}


@pytest.mark.slow
def test_jobs_whose_submission_got_no_answer_find_their_arguments(
    submission: Submission, tmp_path: Path
) -> None:
    fake = FakeSlurm()
    fake.lose_answer("sbatch", times=99)
    fake.fail("squeue", times=99)
    with pytest.raises(EnvironmentFault):
        send_driver(submission, job_function, fake.client())
    ((job_id, job),) = fake.jobs.items()
    assert "driver 1, pool 0" in output_of(job_id, job, tmp_path)


def test_nothing_is_submitted_where_the_arguments_cannot_be_written(submission: Submission) -> None:
    fake = FakeSlurm()
    submission.arguments("driver").mkdir()
    with pytest.raises(OSError, match="driver-1"):
        send_driver(submission, job_function, fake.client())
    assert fake.jobs == {}
    assert [path.name for path in submission.messages.jobs_folder.iterdir()] == ["driver-1.pkl"]


def test_a_refused_submission_leaves_nothing_to_remove(submission: Submission) -> None:
    fake = FakeSlurm(job_limit=0)
    for _ in range(3):
        with pytest.raises(EnvironmentFault, match="policy"):
            send_driver(submission, job_function, fake.client())
    assert [path.name for path in submission.messages.jobs_folder.iterdir()] == ["driver-1.pkl"]
