"""A sweep handed to a site: checked, its jobs sent."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from noisebench.data.files import check_files
from noisebench.engine.order import pending_trials
from noisebench.engine.stops import Stops, restart_blocks
from noisebench.errors import EnvironmentFault, InputError, NoisebenchError
from noisebench.records.folders import ResultsFolder
from noisebench.records.lock import sweep_lock
from noisebench.records.manifest import keep_sweep
from noisebench.slurm import commands
from noisebench.slurm.faults import forget_faults
from noisebench.slurm.secret import make_token
from noisebench.slurm.send import send_driver, send_standby, send_workers
from noisebench.slurm.site import Site
from noisebench.slurm.submission import Submission, job_name, keep_submission, submission_for
from noisebench.store.states import states_of
from noisebench.sweep.sweep import Sweep
from noisebench.sweep.trial import Trial

# The driver and its standby.
DRIVER_JOBS = 2
_NEEDED = ("sbatch", "squeue", "scancel", "srun")


@dataclass(frozen=True)
class Submitted:
    """What was sent, as (role, job id) pairs, for how many pending trials; none where nothing was pending."""

    jobs: list[tuple[str, str]]
    pending: int
    failed: int


def submit(
    sweep: Sweep,
    site: Site,
    results: ResultsFolder,
    data_dir: Path | None,
    *,
    include_failed: bool = False,
    restart: bool = False,
    execute: str | None = None,
) -> Submitted:
    """Send the jobs for what is pending of `sweep`; with `include_failed` also for what failed.

    `restart` lets its stopped blocks run again. `execute` ("module:function") replaces the measurement, for
    benchmarks of the machinery.

    Raises InputError where the sweep is live already, EnvironmentFault (no job is left behind) where Slurm,
    the results folder or the data are not as needed.
    """
    missing = [command for command in _NEEDED if shutil.which(command) is None]
    if missing:
        where = "submit from a node where Slurm's commands are installed"
        raise EnvironmentFault(f"{', '.join(missing)}: command not found; {where}")
    with sweep_lock(results.sweep(sweep.name)):
        keep_sweep(results.sweep(sweep.name), sweep)
        _refuse_second(results, sweep.name)
        if restart:
            restart_blocks(results, sweep.name)
        pending, failed = pending_of(sweep, results, include_failed=include_failed)
        if not pending:
            return Submitted([], 0, failed)
        check_files(pending, data_dir)
        submission = submission_for(sweep.name, pending, site, results, data_dir, include_failed)
        submission = replace(_within_limits(submission), execute=execute)
        return Submitted(_send(submission), len(pending), failed)


def pending_of(
    sweep: Sweep, results: ResultsFolder, *, include_failed: bool = False
) -> tuple[list[Trial], int]:
    """Return the trials to be run, with how many that failed are left alone; stopped blocks stay out."""
    trials = list(sweep.trials())
    states = {}
    if results.root.is_dir():
        states = states_of(results, [trial.trial_id for trial in trials])
    failed = 0 if include_failed else sum(state == "failed" for state in states.values())
    stops = Stops(sweep.blocks, results, sweep.name)
    pending = pending_trials(trials, states, include_failed=include_failed)
    return [trial for trial in pending if stops.lets_run(trial)], failed


def _refuse_second(results: ResultsFolder, sweep: str) -> None:
    live = commands.live_jobs([job_name(results, sweep, role) for role in ("driver", "worker")])
    if live:
        jobs = ", ".join(f"{job.job_id} {job.state.lower()}" for job in live[:4])
        raise InputError(
            f"sweep '{sweep}' is submitted already (jobs {jobs}); `noisebench status {sweep}` shows how far "
            f"it is, `noisebench cancel {sweep}` ends it"
        )


def _within_limits(submission: Submission) -> Submission:
    """Return the submission with no more workers than the user's job limit leaves room for."""
    limit = submission.site.limits.jobs
    queued = commands.count_jobs()
    room = limit - queued - DRIVER_JOBS
    if room < 1:
        raise EnvironmentFault(
            f"{queued} jobs of yours are in the queue already, and limits.jobs of site "
            f"{submission.site.site} is {limit}: no room for a driver, its standby and a worker; wait, or "
            "raise the limit if the cluster's is higher"
        )
    return replace(submission, workers=min(submission.workers, room))


def _send(submission: Submission) -> list[tuple[str, str]]:
    make_token(submission.token)
    submission.head.unlink(missing_ok=True)
    forget_faults(submission.results, submission.sweep)
    try:
        driver = send_driver(submission)
        standby = send_standby(submission, driver)
        workers = send_workers(submission)
    except NoisebenchError:
        commands.cancel_jobs([submission.job_name("driver"), submission.job_name("worker")])
        raise
    sent = [("driver", driver), ("standby", standby), *(("workers", job) for job in workers)]
    jobs = [(role, job) for role, job in sent if job is not None]
    keep_submission(submission, jobs)
    return jobs
