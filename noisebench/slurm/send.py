"""Jobs handed to Slurm: a script, and the function that submitit calls in each of its tasks."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
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
    return send(submission, "driver", DelayedSubmission(function, submission), text, slurm)


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
        array = send(pool, "worker", DelayedSubmission(function, pool), text, slurm)
        submission.messages.workers.note_pool(array, pool.pool)
        ids.append(array)
    return ids


def send(submission: Submission, role: str, call: DelayedSubmission, text: str, slurm: Slurm) -> str:
    """Submit a script whose tasks each make this call; return the job's id."""
    # Before the script: where Slurm's answer is lost, its job may exist and needs its arguments.
    _write(call, submission.arguments(role))
    script = submission.messages.jobs_folder / f"{uuid.uuid4().hex}.sh"
    try:
        script.write_text(text)
        job_id = slurm.submit(script)
        script.rename(script.with_name(f"{job_id}_submission.sh"))
    finally:
        script.unlink(missing_ok=True)
    return job_id


def _write(call: DelayedSubmission, file: Path) -> None:
    """Write a call in one step: jobs that were sent before may just read the file."""
    # A job refuses a folder that others can write into.
    file.parent.mkdir(0o700, parents=True, exist_ok=True)
    # submitit is not to requeue anything by itself.
    call.set_timeout(0, 0)
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        call.dump(temporary)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
