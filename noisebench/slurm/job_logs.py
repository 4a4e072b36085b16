"""What the jobs of a submitted sweep printed."""

from __future__ import annotations

from pathlib import Path

from noisebench.errors import InputError
from noisebench.records.folders import SweepFolder
from noisebench.slurm.messages import Messages
from noisebench.slurm.submission import job_name

_SUFFIX = "_0_log.out"


def driver_logs(folder: SweepFolder) -> list[Path]:
    """Return the log of each driver that has started, the newest last."""
    return [path for job, path in _logs(folder).items() if _is_driver(folder, job)]


def worker_log(folder: SweepFolder, job_id: str) -> Path:
    """Return the log of a worker; InputError with the known ones where it is none of them."""
    logs = {job: path for job, path in _logs(folder).items() if not _is_driver(folder, job)}
    if job_id not in logs:
        known = ", ".join(logs) or "none has started yet"
        raise InputError(f"sweep '{folder.name}' has no worker '{job_id}'; known: {known}")
    return logs[job_id]


def _logs(folder: SweepFolder) -> dict[str, Path]:
    """Return all logs by job id, JOB or ARRAY_TASK, in the order of submission."""
    messages = Messages(folder)
    if not messages.exists:
        raise InputError(f"sweep '{folder.name}' was not submitted to Slurm")
    paths = messages.jobs_folder.glob(f"*{_SUFFIX}")
    by_job = {path.name.removesuffix(_SUFFIX): path for path in paths}
    return dict(sorted(by_job.items(), key=lambda item: [int(part) for part in item[0].split("_")]))


def _is_driver(folder: SweepFolder, job: str) -> bool:
    script = Messages(folder).jobs_folder / f"{job}_submission.sh"
    return script.is_file() and f"--job-name={job_name(folder, 'driver')}\n" in script.read_text()
