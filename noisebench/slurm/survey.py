"""Probes sent to a cluster as short jobs, and their findings."""

from __future__ import annotations

import fcntl
import json
import platform
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from submitit.core.utils import DelayedSubmission

from noisebench.catalogue.files import DataFile
from noisebench.engine.preflight import Finding
from noisebench.errors import EnvironmentFault
from noisebench.records import provenance
from noisebench.records.durable import write_durably
from noisebench.records.folders import ResultsFolder
from noisebench.slurm.client import Slurm
from noisebench.slurm.doctor import worker_roles
from noisebench.slurm.job import gpus_of
from noisebench.slurm.probe import Probe, look
from noisebench.slurm.script import probe_script
from noisebench.slurm.send import send
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

    `on_wait` is called now and then with the roles of the probes that have not answered.
    """
    is_new = not results.root.exists()
    with _shared_folder(results) as folder:
        submission = Submission(ResultsFolder(folder).sweep("doctor"), site, workers=1)
        roles = ["driver", *(role for role, _ in worker_roles(site))]
        probes = [_probe(role, folder, results, site, data_dir, files) for role in roles]
        findings = _answers(submission, probes, wait_minutes, on_wait)
    if is_new:
        with suppress(OSError):  # another process has started to use it
            results.root.rmdir()
    return findings


@contextmanager
def _shared_folder(results: ResultsFolder) -> Iterator[Path]:
    """Make a folder that all nodes should see, with a word and a lock that is held; remove it at the end."""
    folder = results.root / f".doctor-{uuid.uuid4().hex}"
    write_durably(folder / "word", uuid.uuid4().hex.encode())
    with (folder / "lock").open("w") as lock:
        with suppress(OSError):  # a file system without locks: the probes report it
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _probe(
    role: str,
    folder: Path,
    results: ResultsFolder,
    site: Site,
    data_dir: Path | None,
    files: tuple[DataFile, ...],
) -> Probe:
    gpu = role != "driver" and gpus_of(site.workers[0]) > 0
    word = (folder / "word").read_text()
    return Probe(role, folder, word, results, site.interface, site.folders.scratch, gpu, data_dir, files)


def _answers(
    submission: Submission, probes: list[Probe], wait_minutes: float, on_wait: Callable[[list[str]], None]
) -> list[Finding]:
    """Send the probes and return their findings; no job is left."""
    slurm = Slurm()
    jobs: dict[Probe, str] = {}
    findings = []
    try:
        for index, probe in enumerate(probes):
            pool = replace(submission, pool=max(0, index - 1))
            text = probe_script(pool, probe.role, PROBE_MINUTES)
            try:
                jobs[probe] = send(pool, probe.role, DelayedSubmission(look, probe), text, slurm)
            except EnvironmentFault as fault:
                findings.append(Finding(probe.role, str(fault), "correct the site"))
        answers = _await(slurm, jobs, time.monotonic() + 60 * wait_minutes, on_wait)
        for probe, job in jobs.items():
            log = submission.messages.jobs_folder / f"{job}_0_log.out"
            findings += _judged(slurm, probe, job, log, answers.get(probe))
    finally:
        with suppress(EnvironmentFault):
            slurm.cancel(list(jobs.values()))
    return findings


def _await(
    slurm: Slurm, jobs: dict[Probe, str], deadline: float, on_wait: Callable[[list[str]], None]
) -> dict[Probe, dict[str, Any]]:
    """Return the answers that come before the deadline, or until their jobs have ended without one.

    Of a probe that has not given its final answer by then, the one before is returned.
    """
    answers: dict[Probe, dict[str, Any]] = {}
    ended_since: dict[Probe, float] = {}
    asked = float("-inf")
    while time.monotonic() < deadline:
        for probe in jobs:
            with suppress(OSError, ValueError):
                answers[probe] = json.loads(probe.answer.read_text())
        left = [probe for probe in jobs if not answers.get(probe, {}).get("final")]
        if left and time.monotonic() - asked > ASK_SECONDS:
            asked = time.monotonic()
            live = slurm.waiting_reasons([jobs[probe] for probe in left])
            for probe in left:
                if jobs[probe] not in live:
                    ended_since.setdefault(probe, asked)
        if all(
            time.monotonic() - ended_since.get(probe, time.monotonic()) > SETTLE_SECONDS for probe in left
        ):
            return answers
        on_wait([probe.role for probe in left])
        time.sleep(LOOK_SECONDS)
    return answers


def _judged(slurm: Slurm, probe: Probe, job: str, log: Path, answer: dict[str, Any] | None) -> list[Finding]:
    if answer is None:
        return [_silent(slurm, probe, job, log)]
    where = f"{probe.role} on {answer['host']}"
    findings = []
    if answer["word"] != probe.word:
        fix = "choose a folder with --results that is the same on all nodes"
        findings.append(Finding(f"{where}: results", f"{probe.results.root} is another folder there", fix))
    if answer["source"] != provenance.source_hash():
        seen = f"noisebench's source is {answer['source']} there, {provenance.source_hash()} here"
        findings.append(Finding(f"{where}: code", seen, "let all nodes use one installation; see `setup:`"))
    if answer["python"] != platform.python_version():
        seen = f"Python is {answer['python']} there, {platform.python_version()} here"
        findings.append(Finding(f"{where}: code", seen, "let all nodes use one installation; see `setup:`"))
    looked = (Finding(f"{where}: {each['check']}", each["seen"], each["fix"]) for each in answer["findings"])
    return [*findings, *looked]


def _silent(slurm: Slurm, probe: Probe, job: str, log: Path) -> Finding:
    """Return what can be known of a probe that gave no answer."""
    reason = slurm.waiting_reasons([job]).get(job)
    if reason:
        seen = f"job {job} waits for a place: {reason}"
        return Finding(probe.role, seen, "try again with more --wait-minutes, or correct the site")
    try:
        lines = log.read_text().strip().splitlines()[-3:]
    except OSError:
        lines = []
    seen = f"job {job} gave no answer" + (f": {' / '.join(lines)}" if lines else "")
    fix = f"see that every node finds {probe.results.root} there, and noisebench by the site's `setup:`"
    return Finding(probe.role, seen, fix)
