"""Jobs handed to Slurm, through submitit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from submitit import SlurmExecutor
from submitit.core.utils import FailedJobError, FailedSubmissionError

from noisebench.errors import EnvironmentFault
from noisebench.slurm.script import array_sizes, driver_parameters, python_command, worker_parameters
from noisebench.slurm.submission import Submission

# Each driver of a sweep queues the next; a sweep whose drivers all die must come to an end.
MOST_GENERATIONS = 20


def send_driver(submission: Submission, *, after: str | None = None) -> str:
    """Submit a driver, behind the job `after` where given; return its job id."""
    from noisebench.slurm.driver import drive

    return _send(submission, driver_parameters(submission, after=after), drive, 1)


def send_standby(submission: Submission, driver: str) -> str | None:
    """Submit the driver that takes over should `driver` fail; None once there were too many."""
    if submission.generation >= MOST_GENERATIONS:
        return None
    return send_driver(replace(submission, generation=submission.generation + 1), after=driver)


def send_workers(submission: Submission) -> list[str]:
    """Submit the worker jobs; return the id of each array."""
    from noisebench.slurm.worker import work

    parameters = worker_parameters(submission)
    return [_send(submission, parameters, work, size) for size in array_sizes(submission)]


def _send(
    submission: Submission, parameters: dict[str, Any], function: Callable[[Submission], Any], count: int
) -> str:
    with _outside_of_jobs():
        executor = SlurmExecutor(submission.jobs_folder, python=python_command(submission.site))
        executor.update_parameters(**parameters)
        try:
            jobs = executor.map_array(function, [submission] * count)
        except (FailedJobError, FailedSubmissionError) as refused:
            raise EnvironmentFault(f"Slurm refuses the job {parameters['job_name']}: {refused}") from None
    return str(jobs[0].job_id).split("_")[0]


@contextmanager
def _outside_of_jobs() -> Iterator[None]:
    """Hide what Slurm told this job, lest a job submitted from here takes it for itself."""
    foreign = ("SLURM_", "SLURMD_", "SRUN_", "SBATCH_", "SUBMITIT_")
    hidden = {
        key: value for key, value in os.environ.items() if key.startswith(foreign) and key != "SLURM_CONF"
    }
    for key in hidden:
        del os.environ[key]
    try:
        yield
    finally:
        os.environ.update(hidden)
