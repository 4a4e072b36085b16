"""Probes sent to a cluster as short jobs, with what they find."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from submitit import Job, SlurmExecutor
from submitit.core.utils import FailedJobError, FailedSubmissionError

from noisebench.catalogue.files import DataFile
from noisebench.engine.checkup import Finding
from noisebench.errors import EnvironmentFault
from noisebench.records import provenance
from noisebench.records.durable import write_durably
from noisebench.records.folders import ResultsFolder
from noisebench.slurm import commands
from noisebench.slurm.job import gpus_per_node
from noisebench.slurm.probe import Probe, look
from noisebench.slurm.script import driver_parameters, python_command, worker_parameters
from noisebench.slurm.site import Site
from noisebench.slurm.submission import Submission

PROBE_MINUTES = 5
LOOK_SECONDS = 0.5
# A controller is shared by all users: it is asked less often than the results folder is looked at.
ASK_SECONDS = 5.0
# How long it may take until this node sees a file that another has written.
SETTLE_SECONDS = 30.0


def probe_findings(
    site: Site,
    results: ResultsFolder,
    files: tuple[DataFile, ...],
    data_dir: Path | None,
    wait_minutes: float,
    on_wait: Callable[[list[str]], None] = lambda _: None,
) -> list[Finding]:
    """Send a probe as the driver and one as a worker, return what they found; no job is left behind.

    `on_wait` is told which probes have not answered yet, now and then.
    """
    folder = results.root / f".doctor-{uuid.uuid4().hex}"
    is_new = not results.root.exists()
    submission = Submission("doctor", site, results, workers=1)
    word = uuid.uuid4().hex
    write_durably(folder / "word", word.encode())
    jobs: dict[Probe, Job[None]] = {}
    found = []
    try:
        for role in ("driver", "worker"):
            gpu = role == "worker" and gpus_per_node(site.worker) > 0
            probe = Probe(role, folder, word, results, site.interface, gpu, data_dir, files)
            try:
                jobs[probe] = _sent(submission, probe)
            except EnvironmentFault as fault:
                found.append(Finding(role, str(fault), "mend the site"))
        answers = _await(jobs, time.monotonic() + 60 * wait_minutes, on_wait)
        for probe, job in jobs.items():
            found += _judged(probe, job, answers.get(probe))
    finally:
        for job in jobs.values():
            job.cancel(check=False)
        shutil.rmtree(folder, ignore_errors=True)
        if is_new:
            with suppress(OSError):  # somebody else has come to use it
                results.root.rmdir()
    return found


def _sent(submission: Submission, probe: Probe) -> Job[None]:
    parameters = driver_parameters(submission) if probe.role == "driver" else worker_parameters(submission)
    # A short job finds a place sooner.
    parameters |= {"time": PROBE_MINUTES, "nodes": 1, "signal_delay_s": 10}
    executor = SlurmExecutor(probe.folder / "jobs", python=python_command(submission.site))
    executor.update_parameters(**parameters)
    try:
        return executor.submit(look, probe)
    except (FailedJobError, FailedSubmissionError) as refused:
        raise EnvironmentFault(f"Slurm refuses the probe: {' '.join(str(refused).split())}") from None


def _await(
    jobs: dict[Probe, Job[None]], deadline: float, on_wait: Callable[[list[str]], None]
) -> dict[Probe, dict[str, Any]]:
    """Return the answers that come before the deadline, or until their jobs have ended without one."""
    answers: dict[Probe, dict[str, Any]] = {}
    ended_since: dict[Probe, float] = {}
    asked = float("-inf")
    while time.monotonic() < deadline:
        for probe in jobs:
            with suppress(OSError, ValueError):
                answers[probe] = json.loads(probe.answer.read_text())
        left = [probe for probe in jobs if probe not in answers]
        if left and time.monotonic() - asked > ASK_SECONDS:
            asked = time.monotonic()
            live = _live([jobs[probe].job_id for probe in left])
            for probe in left:
                if jobs[probe].job_id not in live:
                    ended_since.setdefault(probe, asked)
        if all(
            time.monotonic() - ended_since.get(probe, time.monotonic()) > SETTLE_SECONDS for probe in left
        ):
            return answers
        on_wait([probe.role for probe in left])
        time.sleep(LOOK_SECONDS)
    return answers


def _live(job_ids: list[str]) -> dict[str, str]:
    """Return why each of these jobs waits, by id, of those that wait or run; empty text for one that runs."""
    if not job_ids:
        return {}
    lines = commands.call("squeue", "--noheader", f"--user={os.getuid()}", "--format=%i|%T|%r").splitlines()
    parts = [line.split("|", 2) for line in lines]
    return {
        job_id: reason if state == "PENDING" else ""
        for job_id, state, reason in parts
        if job_id in job_ids and state not in commands.ENDED
    }


def _judged(probe: Probe, job: Job[None], answer: dict[str, Any] | None) -> list[Finding]:
    if answer is None:
        return [_silent(probe, job)]
    where = f"{probe.role} on {answer['host']}"
    found = []
    if answer["word"] != probe.word:
        mend = "choose a folder with --results that is the same on all nodes"
        found.append(Finding(f"{where}: results", f"{probe.results.root} is another folder there", mend))
    if answer["source"] != provenance.source_hash():
        seen = f"noisebench's source is {answer['source']} there, {provenance.source_hash()} here"
        found.append(Finding(f"{where}: code", seen, "let all nodes use one installation; see `setup:`"))
    if answer["python"] != platform.python_version():
        seen = f"Python is {answer['python']} there, {platform.python_version()} here"
        found.append(Finding(f"{where}: code", seen, "let all nodes use one installation; see `setup:`"))
    looked = (Finding(f"{where}: {each['check']}", each["seen"], each["mend"]) for each in answer["findings"])
    return [*found, *looked]


def _silent(probe: Probe, job: Job[None]) -> Finding:
    """Say what can be known of a probe that gave no answer."""
    live = _live([job.job_id])
    if live.get(job.job_id):
        seen = f"job {job.job_id} waits for a place: {live[job.job_id]}"
        return Finding(probe.role, seen, "try again with more --wait-minutes, or mend the site")
    try:
        log = job.paths.stdout.read_text().strip().splitlines()[-3:]
    except OSError:
        log = []
    seen = f"job {job.job_id} gave no answer" + (f": {' / '.join(log)}" if log else "")
    mend = f"see that every node finds {probe.results.root} there, and noisebench by the site's `setup:`"
    return Finding(probe.role, seen, mend)
