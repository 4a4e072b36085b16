"""The sbatch scripts of a submission as text."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from typing import Any

from submitit.slurm.slurm import _make_sbatch_string

from noisebench.slurm.job import DriverJob
from noisebench.slurm.site import Site
from noisebench.slurm.submission import Submission

Parameters = dict[str, Any]

# No limit of ours: an array runs as many of its tasks at a time as Slurm finds room for.
_UNTHROTTLED = 1_000_000


def driver_parameters(submission: Submission, *, after: str | None = None) -> Parameters:
    """Return submitit's parameters of a driver; one `after` a job starts only if that job did not succeed."""
    parameters = _parameters(submission.site, submission.site.driver, submission.job_name("driver"))
    if after is not None:
        parameters["dependency"] = f"afternotok:{after}"
        parameters["additional_parameters"]["kill-on-invalid-dep"] = "yes"
    return parameters


def worker_parameters(submission: Submission) -> Parameters:
    """Return submitit's parameters of the worker jobs."""
    job = submission.site.worker
    parameters = _parameters(submission.site, job, submission.job_name("worker"))
    if job.gpu_request is not None:
        option, value = job.gpu_request.removeprefix("--").split("=", 1)
        parameters["additional_parameters"][option] = value
    return {**parameters, "nodes": job.nodes_per_job}


def array_sizes(submission: Submission) -> list[int]:
    """Return how many workers each array holds: as few arrays as the site's limit on their size allows."""
    full, rest = divmod(submission.workers, submission.site.limits.array_size)
    return [submission.site.limits.array_size] * full + ([rest] if rest else [])


def python_command(site: Site) -> str:
    """Return the shell words that start Python on a node: the one of the container, else this same one."""
    if site.container is None:
        return shlex.quote(sys.executable)
    return f"{site.container.command} {shlex.quote(site.container.image)} python3"


def scripts(submission: Submission) -> Iterator[tuple[str, str]]:
    """Yield (what it is, its text) of every script, in the order of submission.

    In the standby's text stands DRIVER for the driver's job id, which only Slurm can tell.
    """
    yield "driver", _text(submission, driver_parameters(submission), 1)
    yield "standby driver", _text(submission, driver_parameters(submission, after="DRIVER"), 1)
    for size in array_sizes(submission):
        noun = "worker" if size == 1 else "workers"
        yield f"{size} {noun}", _text(submission, worker_parameters(submission), size)


def _text(submission: Submission, parameters: Parameters, count: int) -> str:
    folder = submission.jobs_folder
    command = f"{python_command(submission.site)} -u -m submitit.core._submit {shlex.quote(str(folder))}"
    map_count = count if count > 1 else None  # submitit sends a single job as no array
    return str(_make_sbatch_string(command=command, folder=folder, map_count=map_count, **parameters))


def _parameters(site: Site, job: DriverJob, name: str) -> Parameters:
    asked = {
        "account": site.account,
        "partition": job.partition,
        "qos": job.qos,
        "constraint": job.constraint,
        "exclude": job.exclude,
        "mem": None if job.memory_gb is None else f"{job.memory_gb}G",
        "setup": list(site.setup) or None,
    }
    return {
        "job_name": name,
        **{key: value for key, value in asked.items() if value is not None},
        "time": job.minutes,
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": job.cpus,
        "signal_delay_s": site.signal_seconds,
        # Since Slurm 22.05 a step no longer inherits this from its job, and would be bound to one core.
        "srun_args": [f"--cpus-per-task={job.cpus}"],
        "stderr_to_stdout": True,
        "array_parallelism": _UNTHROTTLED,
        # submitit's own default is refused by clusters that track these keys.
        "wckey": None,
        "additional_parameters": _additional(site, job),
    }


def _additional(site: Site, job: DriverJob) -> Parameters:
    options: Parameters = {"requeue" if site.requeue else "no-requeue": True}
    if job.reservation is not None:
        options["reservation"] = job.reservation
    if site.mail is not None:
        options["mail-user"] = site.mail.user
        options["mail-type"] = ",".join(site.mail.events) or "NONE"
    return {**options, **job.sbatch_extra}
