"""Workers added to and removed from a live sweep."""

from __future__ import annotations

from noisebench.errors import InputError
from noisebench.records.folders import SweepFolder
from noisebench.slurm.client import Slurm
from noisebench.slurm.protocol import Messages
from noisebench.slurm.site import load_site
from noisebench.slurm.submission import DRIVER_JOBS, job_name


def scale(folder: SweepFolder, workers: int, slurm: Slurm | None = None) -> None:
    """Ask the sweep's driver for so many workers.

    Raises InputError where no driver of the sweep waits or runs, or the site's job limit is lower.
    """
    messages, name = Messages(folder), folder.name
    if not messages.exists or not (slurm or Slurm()).live_jobs([job_name(folder, "driver")]):
        raise InputError(
            f"sweep '{name}' has no driver in the queue; `noisebench resume {name}` submits what is pending"
        )
    most = load_site(messages.site_file).limits.jobs - DRIVER_JOBS
    if workers > most:
        raise InputError(f"{workers} workers: at most {most}, for `limits.jobs` of the site leaves no more")
    messages.ask_for_workers(workers)
