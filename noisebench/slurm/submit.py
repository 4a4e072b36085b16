"""A sweep submitted to a site: checked, its jobs sent."""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from noisebench.data.files import check_files
from noisebench.engine.pending import pending_trials
from noisebench.engine.stops import Stops, restart_blocks
from noisebench.errors import EnvironmentFault, InputError
from noisebench.records.folders import ResultsFolder, SweepFolder
from noisebench.records.lock import sweep_lock
from noisebench.records.manifest import keep_sweep
from noisebench.slurm.answers import Job
from noisebench.slurm.client import Slurm
from noisebench.slurm.command import NO_COMMAND
from noisebench.slurm.driver import drive
from noisebench.slurm.ownership import close_to_others
from noisebench.slurm.protocol import Kept
from noisebench.slurm.registry import remember
from noisebench.slurm.send import send_driver, send_workers
from noisebench.slurm.site import Site
from noisebench.slurm.submission import DRIVER_JOBS, Submission, job_name, submission_for
from noisebench.slurm.worker import work
from noisebench.store.states import states_of
from noisebench.store.store import open_store
from noisebench.sweep.sweep import Sweep
from noisebench.sweep.trial import Trial

_NEEDED = ("sbatch", "squeue", "scancel", "srun")


@dataclass(frozen=True)
class Request:
    """How a sweep is to be submitted.

    `include_failed`: what failed runs again, `restart`: so do stopped blocks. `workers` replaces the number
    that the site and the pending trials give. `execute` ("module:function") replaces the measurement, for
    benchmarks of the machinery. `replace`: a different sweep of the same name is replaced.
    """

    data_dir: Path | None = None
    include_failed: bool = False
    restart: bool = False
    workers: int | None = None
    execute: str | None = None
    replace: bool = False


@dataclass(frozen=True)
class Submitted:
    """The jobs that were sent, as (role, job id) pairs, for how many pending trials; none if none is pending.

    `released` are jobs of a live submission that Slurm had held and that were released instead. `left_out` is
    how many workers were not sent because `limits.jobs` of the site left no room for them.
    """

    jobs: list[tuple[str, str]]
    pending: int
    failed: int
    released: tuple[str, ...] = ()
    left_out: int = 0


def submit(
    sweep: Sweep, site: Site, results: ResultsFolder, request: Request, slurm: Slurm | None = None
) -> Submitted:
    """Send the jobs for what is pending of `sweep`.

    Raises InputError where the sweep is live already, EnvironmentFault (no job is left behind) where Slurm,
    the results folder or the data are not as needed.
    """
    if slurm is None:
        slurm = _installed_slurm()
    folder = results.sweep(sweep.name)
    live = live_jobs(folder, slurm)
    if live:
        return _release_held(sweep.name, live, slurm)
    close_to_others(folder)
    with sweep_lock(folder):
        keep_sweep(folder, sweep, replace=request.replace)
        if request.restart:
            restart_blocks(results.sweep(sweep.name))
        pending, failed = pending_of(sweep, results, include_failed=request.include_failed)
        if not pending:
            return Submitted([], 0, failed)
        check_files(pending, request.data_dir)
        submission = submission_for(folder, pending, site, request.data_dir, request.include_failed)
        submission = replace(submission, workers=request.workers or submission.workers)
        wanted = submission.workers
        submission = replace(_within_limits(submission, slurm), execute=request.execute)
        left_out = wanted - submission.workers
        return Submitted(_send(submission, slurm), len(pending), failed, left_out=left_out)


def _installed_slurm() -> Slurm:
    missing = [command for command in _NEEDED if shutil.which(command) is None]
    if missing:
        raise EnvironmentFault(f"{', '.join(missing)}: command not found; {NO_COMMAND}")
    return Slurm()


def pending_of(
    sweep: Sweep, results: ResultsFolder, *, include_failed: bool = False
) -> tuple[list[Trial], int]:
    """Return the trials to be run, and how many failed ones are left alone; stopped blocks stay out."""
    trials = list(sweep.trials())
    states = {}
    if results.root.is_dir():
        with open_store(results) as store:
            states = states_of(store, [trial.trial_id for trial in trials])
    failed = 0 if include_failed else sum(state == "failed" for state in states.values())
    stops = Stops(sweep.blocks, results.sweep(sweep.name))
    pending = pending_trials(trials, states, include_failed=include_failed)
    return [trial for trial in pending if stops.lets_run(trial)], failed


def live_jobs(folder: SweepFolder, slurm: Slurm) -> list[Job]:
    """Return the jobs of a sweep that wait or run; those that are just ending need not be waited for."""
    names = [job_name(folder, role) for role in ("driver", "worker")]
    return [job for job in slurm.live_jobs(names) if not job.ending]


def _release_held(sweep: str, live: list[Job], slurm: Slurm) -> Submitted:
    """Release what Slurm holds of a live submission; InputError where that is none: it needs no second one.

    What a person holds stays held.
    """
    held = [job.job_id for job in live if job.held_by_slurm]
    if not held:
        jobs = ", ".join(f"{job.job_id} {job.state.lower()}" for job in live[:4])
        raise InputError(
            f"sweep '{sweep}' is submitted already (jobs {jobs}); `noisebench status {sweep}` shows how far "
            f"it is, `noisebench cancel {sweep}` ends it"
        )
    for job_id in held:
        slurm.release(job_id)
    return Submitted([], 0, 0, tuple(held))


def _within_limits(submission: Submission, slurm: Slurm) -> Submission:
    """Return the submission with no more workers than the user's job limit leaves room for."""
    limit = submission.site.limits.jobs
    queued = slurm.count_jobs()
    room = limit - queued - DRIVER_JOBS
    if room < 1:
        raise EnvironmentFault(
            f"{queued} jobs of yours are in the queue already, and limits.jobs of site "
            f"{submission.site.site} is {limit}: no room for a driver, its standby and a worker; wait, or "
            "raise the limit if the cluster's is higher"
        )
    return replace(submission, workers=min(submission.workers, room))


def _send(submission: Submission, slurm: Slurm) -> list[tuple[str, str]]:
    messages = submission.messages
    messages.begin()
    messages.keep_site(submission.site.text)
    try:
        driver = send_driver(submission, drive, slurm)
        successor = replace(submission, number=submission.number + 1)
        standby = send_driver(successor, drive, slurm, after=driver)
        workers = send_workers(submission, work, slurm, submission.workers, driver=driver)
    except BaseException:  # a refusal, or Ctrl-C: what was sent must not stay behind
        _cancel_all(submission, slurm)
        raise
    jobs = [("driver", driver), ("standby", standby), *(("workers", job) for job in workers)]
    data = None if submission.data_dir is None else str(submission.data_dir)
    moment = submission.submitted_at.isoformat(timespec="seconds")
    messages.keep_submission(Kept(submission.site.site, data, moment, submission.code, jobs))
    remember(submission.folder)
    return jobs


def _cancel_all(submission: Submission, slurm: Slurm) -> None:
    try:
        slurm.cancel_named([submission.job_name("driver"), submission.job_name("worker")])
    except EnvironmentFault as fault:
        name = submission.folder.name
        with suppress(OSError):
            print(f"jobs may be left: {fault}; `noisebench cancel {name}` ends them", file=sys.stderr)
