"""Cancel a submitted sweep, or change the number of its workers."""

from __future__ import annotations

import time
from collections.abc import Callable

from noisebench.engine.pending import mark_interrupted
from noisebench.errors import EnvironmentFault, InputError
from noisebench.records.attempts import ErrorKind
from noisebench.records.folders import SweepFolder
from noisebench.records.lock import sweep_lock
from noisebench.slurm.answers import Job
from noisebench.slurm.client import Slurm
from noisebench.slurm.messages import Messages
from noisebench.slurm.site import load_site
from noisebench.slurm.submission import DRIVER_JOBS, job_name
from noisebench.store.states import unended_attempts
from noisebench.store.store import open_store

WAIT_SECONDS = 300.0
_LOOK_SECONDS = 1.0


def cancel(
    folder: SweepFolder, on_wait: Callable[[list[Job]], None] = lambda _: None, slurm: Slurm | None = None
) -> int:
    """Cancel all jobs of a sweep and wait until they have ended; return how many there were.

    `on_wait` is called with the jobs that are left, once a second. What ran is interrupted and waits for
    `resume`. Raises InputError where the sweep was never submitted, EnvironmentFault where jobs do not end.
    """
    slurm = slurm or Slurm()
    if not Messages(folder).exists:
        raise InputError(
            f"sweep '{folder.name}' was not submitted to Slurm; Ctrl-C or SIGTERM ends a `noisebench run`"
        )
    driver, worker = (job_name(folder, role) for role in ("driver", "worker"))
    count = sum(not job.ending for job in slurm.live_jobs([driver, worker]))
    # The standby goes first: it would take over from the driver.
    slurm.cancel_named([driver], waiting_only=True)
    deadline = time.monotonic() + WAIT_SECONDS
    while remaining := slurm.live_jobs([driver, worker]):
        if any(not job.ending for job in remaining):
            slurm.cancel_named([driver, worker])
        if time.monotonic() > deadline:
            ids = ", ".join(job.job_id for job in remaining)
            raise EnvironmentFault(
                f"jobs {ids} of '{folder.name}' were cancelled, but have not ended in {WAIT_SECONDS:.0f} s"
            )
        on_wait(remaining)
        time.sleep(_LOOK_SECONDS)
    # The driver had seconds to record what it was running, if Slurm left it any.
    with sweep_lock(folder):
        with open_store(folder.results) as store:
            unended = unended_attempts(store, folder.name)
        mark_interrupted(folder, unended, ErrorKind.CANCELLED, "the sweep was cancelled")
    Messages(folder).forget_token()
    return count


def drain(
    folder: SweepFolder, on_wait: Callable[[list[Job]], None] = lambda _: None, slurm: Slurm | None = None
) -> int:
    """Let the running trials of a live sweep end, then cancel its jobs; return how many workers there were.

    Workers that wait are cancelled at once. `on_wait` is called with those that still run, once a second.
    Raises InputError where no driver waits or runs.
    """
    slurm = slurm or Slurm()
    scale(folder, 0, slurm)
    worker, messages = job_name(folder, "worker"), Messages(folder)
    count = len(slurm.live_jobs([worker]))
    while running := _cancel_waiting(worker, slurm):
        # The driver would ask them too, but may itself still wait.
        for job in running:
            messages.workers.ask_to_drain(job.job_id)
        on_wait(running)
        time.sleep(_LOOK_SECONDS)
    cancel(folder, on_wait, slurm)
    return count


def _cancel_waiting(worker: str, slurm: Slurm) -> list[Job]:
    """Cancel the jobs of this name that wait, new ones or requeued ones; return those that run."""
    slurm.cancel_named([worker], waiting_only=True)
    return [job for job in slurm.live_jobs([worker]) if not job.waiting and not job.ending]


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
        raise InputError(f"{workers} workers: `limits.jobs` of the site allows at most {most}")
    messages.ask_for_workers(workers)
