"""What would stop a sweep on a cluster, as far as the login node shows."""

from __future__ import annotations

import getpass
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from noisebench.engine.preflight import Finding
from noisebench.errors import EnvironmentFault
from noisebench.records.folders import ResultsFolder
from noisebench.slurm.client import Slurm
from noisebench.slurm.inventory import Nodes
from noisebench.slurm.job import DriverJob, WorkerJob, gpu_kind, gpus_of
from noisebench.slurm.script import driver_script, worker_script
from noisebench.slurm.site import Site
from noisebench.slurm.submission import Submission
from noisebench.sweep.trial import Trial
from noisebench.trial.duration import ESTIMATE_MARGIN, Work, estimated_seconds, seconds_at_risk

_COMMANDS = ("sbatch", "squeue", "scancel", "srun", "sinfo", "scontrol")


def cluster_findings(site: Site, results: ResultsFolder, trials: Iterable[Trial]) -> list[Finding]:
    """Look at Slurm's commands, partitions, limits, accounts; ask Slurm what it thinks of the jobs."""
    missing = [command for command in _COMMANDS if shutil.which(command) is None]
    if missing:
        fix = "run this where Slurm's commands are installed: on a login node"
        return [Finding("commands", f"{', '.join(missing)}: command not found", fix)]
    slurm = Slurm()
    try:
        known = slurm.partitions()
    except EnvironmentFault as fault:
        return [Finding("slurm", str(fault), "see whether the cluster is up: `scontrol ping`")]
    return [
        Finding("commands", f"{', '.join(_COMMANDS)} are there"),
        *_job("driver", site.driver, known),
        *(finding for role, job in worker_roles(site) for finding in _job(role, job, known)),
        *_accounts(site, slurm),
        _array_size(site, slurm),
        *_longest(max(site.workers, key=lambda job: job.minutes), trials),
        *_verdicts(Submission(results.sweep("doctor"), site, workers=1), slurm),
    ]


def worker_roles(site: Site) -> list[tuple[str, WorkerJob]]:
    """Return the pools of workers by the names that findings have for them: worker, worker-2, ..."""
    return [
        ("worker" if index == 0 else f"worker-{index + 1}", job) for index, job in enumerate(site.workers)
    ]


def _job(role: str, job: DriverJob, known: list[Nodes]) -> Iterator[Finding]:
    """Look for nodes that fit a job; report the first requirement that no node meets."""
    field = f"correct `{role}:` in the site"
    names = ", ".join(dict.fromkeys(nodes.partition for nodes in known))
    asked = job.partition.split(",") if job.partition else None
    mine = [nodes for nodes in known if (nodes.partition in asked if asked else nodes.is_default)]
    if not mine:
        seen = f"partition '{job.partition}' is unknown" if asked else "no partition is the default one"
        yield Finding(role, f"{seen}; known: {names}", field)
        return
    where = f"partition {', '.join(dict.fromkeys(nodes.partition for nodes in mine))}"
    for what, fits in _needs(job):
        left = [nodes for nodes in mine if fits(nodes)]
        if not left:
            yield Finding(role, f"{where} has no node with {what}", f"{field}; `sinfo` shows what there is")
            return
        mine = left
    longest = max((nodes.minutes for nodes in mine if nodes.minutes is not None), default=None)
    if longest is not None and all(nodes.minutes is not None for nodes in mine) and job.minutes > longest:
        yield Finding(role, f"{where} allows {longest} minutes, the job asks for {job.minutes}", field)
        return
    yield Finding(role, f"{where} has nodes for {', '.join(what for what, _ in _needs(job))}")


def _needs(job: DriverJob) -> list[tuple[str, Callable[[Nodes], bool]]]:
    """Return what a node must have for a job, in words and as a test."""
    needs: list[tuple[str, Callable[[Nodes], bool]]] = [
        ("a state of up", lambda nodes: nodes.available),
        (f"{job.cpus} CPUs", lambda nodes: nodes.cpus >= job.cpus),
    ]
    if job.memory_gb:
        memory_mb = 1024 * job.memory_gb
        needs.append((f"{job.memory_gb} GiB", lambda nodes: nodes.memory_mb >= memory_mb))
    if isinstance(job, WorkerJob) and job.gpu_request:
        count, kind = gpus_of(job), gpu_kind(job.gpu_request)
        needs.append((f"{count} GPUs {kind or ''}".strip(), lambda nodes: nodes.gpus(kind) >= count))
    return needs


def _accounts(site: Site, slurm: Slurm) -> Iterator[Finding]:
    """Compare account and qos with those that accounting knows for this user; nothing where it knows none."""
    mine = slurm.associations(getpass.getuser())
    accounts, qualities = mine.accounts, mine.qos
    if not accounts:
        return
    if site.account is not None and site.account not in accounts:
        seen = f"account '{site.account}' is not yours; yours: {', '.join(sorted(accounts))}"
        yield Finding("account", seen, "correct `account:` in the site")
    for role, job in (("driver", site.driver), *worker_roles(site)):
        if job.qos is not None and job.qos not in qualities:
            seen = (
                f"qos '{job.qos}' of the {role} is not yours; yours: {', '.join(sorted(qualities)) or 'none'}"
            )
            yield Finding("qos", seen, f"correct `{role}.qos:` in the site")


def _array_size(site: Site, slurm: Slurm) -> Finding:
    # The largest index is one less than this, the smallest 0.
    most = slurm.max_array_size()
    asked = site.limits.array_size
    if most is not None and asked > most:
        seen = f"arrays have at most {most} tasks, limits.array_size is {asked}"
        return Finding("array", seen, f"set `limits.array_size: {most}` in the site")
    return Finding("array", f"arrays of {asked} tasks are allowed")


def _longest(job: WorkerJob, trials: Iterable[Trial]) -> Iterator[Finding]:
    """Compare the worker's time limit with the longest piece of work that is lost when it is cut short."""
    gpu = gpus_of(job) > 0
    longest = max((Work(trial, gpu) for trial in trials), key=seconds_at_risk, default=None)
    if longest is None:
        return
    piece, whole = (f(longest) / 60 for f in (seconds_at_risk, estimated_seconds))
    seen = f"the longest trial takes about {whole:.1f} minutes, what it repeats when cut short {piece:.1f}"
    if ESTIMATE_MARGIN * piece > job.minutes:
        need = f"allow at least {ESTIMATE_MARGIN * piece:.0f} `minutes` for the worker"
        yield Finding("time", f"{seen}; a worker has {job.minutes}", need)
    else:
        yield Finding("time", f"{seen}; a worker has {job.minutes}")


def _verdicts(submission: Submission, slurm: Slurm) -> Iterator[Finding]:
    """Ask Slurm whether it would take the jobs, without submitting them."""
    workers = [
        (role, worker_script(replace(submission, pool=index), 1))
        for index, (role, _) in enumerate(worker_roles(submission.site))
    ]
    for role, text in (("driver", driver_script(submission)), *workers):
        with tempfile.TemporaryDirectory(prefix="nb-doctor-") as folder:
            script = Path(folder) / "script.sh"
            script.write_text(text)
            refusal = slurm.refusal(script)
        if refusal is None:
            yield Finding("sbatch", f"Slurm would take the {role}")
        else:
            yield Finding("sbatch", f"Slurm refuses the {role}: {refusal}", "correct the site")
