"""The sbatch scripts of a submission as text."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from submitit.slurm.slurm import _make_sbatch_string

from noisebench.slurm.allocation import STARTED_VARIABLE
from noisebench.slurm.job import DriverJob
from noisebench.slurm.site import Site
from noisebench.slurm.submission import Submission

Parameters = dict[str, Any]

# Stands for the driver's job id, which only Slurm knows, in scripts that are printed.
DRIVER = "DRIVER"
# An array without a limit of its own runs as many tasks at a time as Slurm finds room for.
_UNTHROTTLED = 1_000_000
# The batch script runs on the host, also where the job's Python runs in a container without Slurm's commands.
_OWN_ID = """\
noisebench_job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
noisebench_job=${noisebench_job:-$SLURM_JOB_ID}"""
# submitit looks for the arguments under the job's id, which is known only once Slurm has the job. A file that
# were written then would be missing where Slurm's answer was lost.
_ARGUMENTS = 'ln -sf {name} {folder}/"$noisebench_job"_submitted.pkl'
# The request of the last run. Were it left to Python, a job whose Python does not start would never end.
_FORGET_REQUEUE = 'rm -f {folder}/"$noisebench_job"'
_REQUEUE = """\
status=$?
if [ -e {folder}/"$noisebench_job" ]; then
  for pause in 1 2 4; do
    timeout 10 scontrol requeue "$noisebench_job" && exit 0
    sleep $pause
  done
fi
exit $status"""


def driver_script(submission: Submission, *, after: str | None = None) -> str:
    """Return the script of a driver; one `after` a job starts only if that job did not succeed."""
    return _text(submission, driver_parameters(submission, after=after), 1)


def worker_script(submission: Submission, count: int, *, driver: str | None = None) -> str:
    """Return the script of `count` workers, which start after the `driver` has, where one is named."""
    parameters = worker_parameters(submission)
    if driver is not None:
        parameters["dependency"] = f"after:{driver}"
    return _text(submission, parameters, count)


def probe_script(submission: Submission, role: str, minutes: int) -> str:
    """Return the script of a short job in the place of a driver or a worker."""
    parameters = driver_parameters(submission) if role == "driver" else worker_parameters(submission)
    alone = {key: value for key, value in parameters.items() if key not in ("dependency", "teardown")}
    return _text(submission, {**alone, "time": minutes, "signal_delay_s": 10}, 1)


def driver_parameters(submission: Submission, *, after: str | None = None) -> Parameters:
    """Return submitit's parameters of a driver."""
    parameters = _parameters(submission, "driver", submission.site.driver)
    # Two drivers of a sweep never run at once, even where locks of files do not reach other nodes.
    parameters["dependency"] = "singleton"
    if after is not None:
        parameters["dependency"] = f"afternotok:{after},singleton"
        parameters["additional_parameters"]["kill-on-invalid-dep"] = "yes"
    return parameters


def worker_parameters(submission: Submission) -> Parameters:
    """Return submitit's parameters of the worker jobs."""
    site, job = submission.site, submission.worker
    parameters = _parameters(submission, "worker", job)
    if job.gpu_request is not None:
        option, value = job.gpu_request.removeprefix("--").split("=", 1)
        parameters["additional_parameters"][option] = value
    parameters["array_parallelism"] = job.at_once or _UNTHROTTLED
    # The shell survives the signals that end the job's Python, and runs the lines after it.
    first = ["trap : TERM USR2", f"export {STARTED_VARIABLE}=$(date +%s)", *_own_lines(submission, "worker")]
    if site.requeue:
        folder = shlex.quote(str(submission.messages.workers.requeue_folder))
        first.append(_FORGET_REQUEUE.format(folder=folder))
        parameters["teardown"] = _REQUEUE.format(folder=folder).splitlines()
    parameters["setup"] = [*first, *site.setup]
    return parameters


def arrays(
    submission: Submission, workers: int, present: Mapping[int, int] = MappingProxyType({})
) -> list[tuple[Submission, int]]:
    """Return the arrays for so many workers, each with its pool's submission and its size.

    There are as few as the pools and the site's limit on their size allow. `present` is how many workers each
    pool has already.
    """
    job_arrays = []
    for pool, count in submission.pools(workers, present):
        full, rest = divmod(count, submission.site.limits.array_size)
        sizes = [submission.site.limits.array_size] * full + ([rest] if rest else [])
        job_arrays += [(pool, size) for size in sizes]
    return job_arrays


def python_command(site: Site) -> str:
    """Return the shell words that start Python on a node: the site's, the container's, or this one."""
    if site.container is None:
        return shlex.quote(site.python or sys.executable)
    python = shlex.quote(site.python or "python3")
    return f"{site.container.command} {shlex.quote(site.container.image)} {python}"


def scripts(submission: Submission) -> Iterator[tuple[str, str]]:
    """Yield (what it is, its text) of every script, in the order of submission."""
    yield "driver", driver_script(submission)
    standby = replace(submission, number=submission.number + 1)
    yield "standby driver", driver_script(standby, after=DRIVER)
    for pool, size in arrays(submission, submission.workers):
        noun = "worker" if size == 1 else "workers"
        yield f"{size} {noun}", worker_script(pool, size, driver=DRIVER)


def _text(submission: Submission, parameters: Parameters, count: int) -> str:
    folder = submission.messages.jobs_folder
    command = f"{python_command(submission.site)} -u -m noisebench.slurm.start {shlex.quote(str(folder))}"
    map_count = count if count > 1 else None  # a single job is no array
    text = _make_sbatch_string(command=command, folder=folder, map_count=map_count, **parameters)
    return f"{text.rstrip()}\n"


def _own_lines(submission: Submission, role: str) -> list[str]:
    """Return the lines with which a batch script finds its id and its arguments."""
    file = submission.arguments(role)
    link = _ARGUMENTS.format(name=file.name, folder=shlex.quote(str(file.parent)))
    return [*_OWN_ID.splitlines(), link]


def _parameters(submission: Submission, role: str, job: DriverJob) -> Parameters:
    site = submission.site
    optional = {
        "account": site.account,
        "partition": job.partition,
        "qos": job.qos,
        "constraint": job.constraint,
        "exclude": job.exclude,
        "mem": None if job.memory_gb is None else f"{job.memory_gb}G",
    }
    return {
        "job_name": submission.job_name(role),
        **{key: value for key, value in optional.items() if value is not None},
        "setup": [*_own_lines(submission, role), *site.setup],
        "time": job.minutes,
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": job.cpus,
        "signal_delay_s": site.signal_seconds,
        # Since Slurm 22.05 a step no longer inherits this from its job, and would be bound to one core.
        "srun_args": [f"--cpus-per-task={job.cpus}", *site.srun_options],
        "stderr_to_stdout": True,
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
