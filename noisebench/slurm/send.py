"""Jobs handed to Slurm: a script, and for each task the function that submitit calls there."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from submitit.core.utils import DelayedSubmission

from noisebench.slurm.client import Slurm
from noisebench.slurm.script import arrays, driver_script, worker_script
from noisebench.slurm.submission import Submission

Job = Callable[[Submission], Any]


def send_driver(submission: Submission, function: Job, slurm: Slurm, *, after: str | None = None) -> str:
    """Submit a driver, behind the job `after` where one is named; return its job id."""
    text = driver_script(submission, after=after)
    return send(submission, DelayedSubmission(function, submission), text, slurm)


def send_workers(
    submission: Submission,
    function: Job,
    slurm: Slurm,
    count: int,
    *,
    driver: str | None = None,
    present: Mapping[int, int] = MappingProxyType({}),
) -> list[str]:
    """Submit `count` workers that start after the `driver`, where one is named; return each array's id.

    `present` is how many workers each pool has already.
    """
    ids = []
    for pool, size in arrays(submission, count, present):
        text = worker_script(pool, size, driver=driver)
        array = send(pool, DelayedSubmission(function, pool), text, slurm, size)
        submission.messages.note_pool(array, pool.pool)
        ids.append(array)
    return ids


def send(submission: Submission, call: DelayedSubmission, text: str, slurm: Slurm, count: int = 1) -> str:
    """Submit a script of `count` tasks that each make this call; return the job's id."""
    folder = submission.messages.jobs_folder
    folder.mkdir(parents=True, exist_ok=True)
    name = uuid.uuid4().hex
    script, pickled = folder / f"{name}.sh", folder / f"{name}.pkl"
    script.write_text(text)
    # submitit is not to requeue anything by itself.
    call.set_timeout(0, 0)
    call.dump(pickled)
    try:
        job_id = slurm.submit(script)
        # A job that starts before its arguments are there waits for them for a minute.
        for task in [job_id] if count == 1 else [f"{job_id}_{index}" for index in range(count)]:
            shutil.copyfile(pickled, folder / f"{task}_submitted.pkl")
        script.rename(folder / f"{job_id}_submission.sh")
    finally:
        script.unlink(missing_ok=True)
        pickled.unlink(missing_ok=True)
    return job_id
