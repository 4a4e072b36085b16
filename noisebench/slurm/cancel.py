"""The end of a submitted sweep before its time: no job left, no process."""

from __future__ import annotations

import time
from collections.abc import Callable

from noisebench.engine.orphans import bury_orphans
from noisebench.errors import EnvironmentFault, InputError
from noisebench.records.folders import ResultsFolder
from noisebench.records.lock import sweep_lock
from noisebench.slurm import commands
from noisebench.slurm.submission import job_name, slurm_folder

WAIT_SECONDS = 300.0
_LOOK_SECONDS = 1.0


def cancel(
    results: ResultsFolder, sweep: str, on_wait: Callable[[list[commands.Job]], None] = lambda _: None
) -> int:
    """Cancel all jobs of a sweep and wait until they have ended; return how many there were.

    `on_wait` is told which are left, once a second. What ran is interrupted and waits for `resume`. Raises
    InputError where the sweep was never submitted, EnvironmentFault where jobs do not end.
    """
    if not slurm_folder(results, sweep).is_dir():
        raise InputError(
            f"sweep '{sweep}' was not submitted to Slurm; Ctrl-C or SIGTERM ends a `noisebench run`"
        )
    driver, worker = (job_name(results, sweep, role) for role in ("driver", "worker"))
    found = len(commands.live_jobs([driver, worker]))
    # The standby goes first: it would take over from the driver.
    commands.cancel_jobs([driver], waiting_only=True)
    deadline = time.monotonic() + WAIT_SECONDS
    while left := commands.listed_jobs([driver, worker]):
        if any(job.state not in commands.ENDED for job in left):
            commands.cancel_jobs([driver, worker])
        if time.monotonic() > deadline:
            ids = ", ".join(job.job_id for job in left)
            raise EnvironmentFault(
                f"jobs {ids} of '{sweep}' were cancelled, but have not ended in {WAIT_SECONDS:.0f} s"
            )
        on_wait(left)
        time.sleep(_LOOK_SECONDS)
    # The driver had seconds to say what it was running, if Slurm left it any.
    with sweep_lock(results.sweep(sweep)):
        bury_orphans(results, sweep, "cancelled", "the sweep was cancelled")
    return found
