"""What of a cluster would stop a sweep, as it looks from the login node."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from noisebench.engine.checkup import Finding
from noisebench.errors import EnvironmentFault
from noisebench.records.folders import ResultsFolder
from noisebench.slurm import commands
from noisebench.slurm.job import DriverJob, WorkerJob, gpus_per_node
from noisebench.slurm.partitions import Nodes, partitions
from noisebench.slurm.script import scripts
from noisebench.slurm.site import Site
from noisebench.slurm.submission import Submission
from noisebench.sweep.trial import Trial
from noisebench.trial.duration import ESTIMATE_MARGIN, estimated_seconds, seconds_at_risk

_COMMANDS = ("sbatch", "squeue", "scancel", "srun", "sinfo", "scontrol")


def cluster_findings(site: Site, results: ResultsFolder, trials: Iterable[Trial]) -> list[Finding]:
    """Look at Slurm's commands, partitions, limits, accounts; ask Slurm what it thinks of the jobs."""
    missing = [command for command in _COMMANDS if shutil.which(command) is None]
    if missing:
        mend = "run this where Slurm's commands are installed: on a login node"
        return [Finding("commands", f"{', '.join(missing)}: command not found", mend)]
    try:
        known = partitions()
    except EnvironmentFault as fault:
        return [Finding("slurm", str(fault), "see whether the cluster is up: `scontrol ping`")]
    return [
        Finding("commands", f"{', '.join(_COMMANDS)} are there"),
        *_job("driver", site.driver, known),
        *_job("worker", site.worker, known),
        *_accounts(site),
        _array_size(site),
        *_longest(site.worker, trials),
        *_verdicts(Submission("doctor", site, results, workers=1)),
    ]


def _job(role: str, job: DriverJob, known: list[Nodes]) -> Iterator[Finding]:
    """Look for nodes that a job fits, and tell the first thing that none has."""
    field = f"mend `{role}:` in the site"
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
        count, kind = gpus_per_node(job), gpu_kind(job.gpu_request)
        needs.append((f"{count} GPUs {kind or ''}".strip(), lambda nodes: nodes.gpus(kind) >= count))
    return needs


def gpu_kind(request: str) -> str | None:
    """Return the kind of GPU that an option of sbatch names: v100 of --gres=gpu:v100:4; None for any."""
    option, value = request.removeprefix("--").split("=", 1)
    parts = value.split(",")[0].split(":")[1 if option == "gres" else 0 :]
    return next((part for part in parts if not part.isdecimal()), None)


def _accounts(site: Site) -> Iterator[Finding]:
    """Compare account and qos with those that accounting knows for this user; silent where there is none."""
    words = ("show", "associations", f"user={getpass.getuser()}", "format=account,qos")
    try:
        lines = commands.call("sacctmgr", "--noheader", "--parsable2", *words, retries=()).split()
    except EnvironmentFault:
        return
    accounts = {line.split("|")[0] for line in lines}
    qualities = {name for line in lines for name in line.split("|")[1].split(",") if name}
    if not accounts:
        return
    if site.account is not None and site.account not in accounts:
        seen = f"account '{site.account}' is not yours; yours: {', '.join(sorted(accounts))}"
        yield Finding("account", seen, "mend `account:` in the site")
    for role, job in (("driver", site.driver), ("worker", site.worker)):
        if job.qos is not None and job.qos not in qualities:
            seen = (
                f"qos '{job.qos}' of the {role} is not yours; yours: {', '.join(sorted(qualities)) or 'none'}"
            )
            yield Finding("qos", seen, f"mend `{role}.qos:` in the site")


def _array_size(site: Site) -> Finding:
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", commands.call("scontrol", "show", "config"), re.M)
    # The largest index is one less than this, the smallest 0.
    most = int(found[1]) if found else None
    asked = site.limits.array_size
    if most is not None and asked > most:
        seen = f"arrays have at most {most} tasks, limits.array_size is {asked}"
        return Finding("array", seen, f"set `limits.array_size: {most}` in the site")
    return Finding("array", f"arrays of {asked} tasks are allowed")


def _longest(job: WorkerJob, trials: Iterable[Trial]) -> Iterator[Finding]:
    """Compare the worker's time limit with the longest piece of work that is lost when it is cut short."""
    gpu = gpus_per_node(job) > 0
    longest = max(trials, key=lambda trial: seconds_at_risk(trial, gpu=gpu), default=None)
    if longest is None:
        return
    piece, whole = (f(longest, gpu=gpu) / 60 for f in (seconds_at_risk, estimated_seconds))
    seen = f"the longest trial takes about {whole:.1f} minutes, what it repeats when cut short {piece:.1f}"
    if ESTIMATE_MARGIN * piece > job.minutes:
        need = f"allow at least {ESTIMATE_MARGIN * piece:.0f} `minutes` for the worker"
        yield Finding("time", f"{seen}; a worker has {job.minutes}", need)
    else:
        yield Finding("time", f"{seen}; a worker has {job.minutes}")


def _verdicts(submission: Submission) -> Iterator[Finding]:
    """Ask Slurm whether it would take the jobs, without submitting them."""
    for what, text in scripts(submission):
        if what == "standby driver":
            continue  # as the driver, but behind a job that is not there
        with tempfile.TemporaryDirectory(prefix="nb-doctor-") as folder:
            script = Path(folder) / "script.sh"
            script.write_text(text)
            done = subprocess.run(
                ["sbatch", "--test-only", str(script)],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        said = " ".join(done.stderr.split())
        if done.returncode:
            yield Finding("sbatch", f"Slurm refuses the {what.removeprefix('1 ')}: {said}", "mend the site")
        else:
            yield Finding("sbatch", f"Slurm would take the {what.removeprefix('1 ')}")
