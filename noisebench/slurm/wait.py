"""Wait for the jobs of a submitted sweep."""

from __future__ import annotations

import time

from noisebench.records.folders import SweepFolder
from noisebench.slurm.client import SHORT, Slurm, SlurmUnavailable
from noisebench.slurm.submission import job_name

LOOK_SECONDS = 15.0


def wait_for_jobs(
    folder: SweepFolder, slurm: Slurm | None = None, look_seconds: float = LOOK_SECONDS
) -> None:
    """Return when no job of the sweep waits or runs; a Slurm that does not answer is asked again."""
    slurm = slurm or Slurm()
    names = [job_name(folder, role) for role in ("driver", "worker")]
    while True:
        try:
            if not slurm.live_jobs(names, SHORT):
                return
        except SlurmUnavailable:
            pass  # nothing is known, so nothing has ended
        time.sleep(look_seconds)
