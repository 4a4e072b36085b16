"""A sweep for a site: the names and number of its jobs."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from noisebench.engine.node import RAY_MEMORY_MB
from noisebench.records import provenance
from noisebench.records.folders import SweepFolder
from noisebench.slurm.gpu_sharing import calibrated
from noisebench.slurm.job import WorkerJob, gpus_of
from noisebench.slurm.messages import Messages
from noisebench.slurm.site import Site
from noisebench.sweep.calibration import Calibration
from noisebench.sweep.trial import Trial

# The driver and its standby.
DRIVER_JOBS = 2

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submission:
    """One sweep on one site, as its jobs get to know it.

    `workers` is the number of worker jobs, `number` that of this driver, counted from 1. `pool` is the index
    of the site's pool that a worker belongs to. `include_failed`:
    trials that failed before `submitted_at` run again. `execute` ("module:function") replaces the
    measurement, for benchmarks of the machinery. `code` is the hash of noisebench's source at that time.
    """

    folder: SweepFolder
    site: Site
    workers: int
    data_dir: Path | None = None
    include_failed: bool = False
    execute: str | None = None
    number: int = 1
    pool: int = 0
    submitted_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    code: str = field(default_factory=provenance.source_hash)

    @property
    def worker(self) -> WorkerJob:
        """What a worker of this pool requests."""
        return self.site.workers[self.pool]

    def pools(
        self, count: int, present: Mapping[int, int] = MappingProxyType({})
    ) -> list[tuple[Submission, int]]:
        """Divide `count` workers among the pools, in their order; what exceeds all goes to the first.

        `present` is how many workers each pool has already, by its index.
        """
        parts = []
        for index, job in enumerate(self.site.workers):
            size = min(count, max(0, job.count - present.get(index, 0)))
            parts.append(size)
            count -= size
        parts[0] += count
        return [(replace(self, pool=index), size) for index, size in enumerate(parts) if size]

    @property
    def messages(self) -> Messages:
        """The messages between the sweep's jobs."""
        return Messages(self.folder)

    def arguments(self, role: str) -> Path:
        """Return the file of what the jobs of this driver, or of this pool of workers, call.

        It has the same content whenever it is written for one submission.
        """
        name = f"driver-{self.number}" if role == "driver" else f"worker-{self.pool}"
        return self.messages.jobs_folder / f"{name}.pkl"

    def job_name(self, role: str) -> str:
        """Return the name of the driver or worker jobs in Slurm."""
        return job_name(self.folder, role)


def job_name(folder: SweepFolder, role: str) -> str:
    """Return the name of a sweep's jobs of a role, driver or worker, in Slurm.

    A sweep of the same name in another results folder has other names; another path to the same folder
    gives the same.
    """
    root = hashlib.sha256(str(folder.results.root.resolve()).encode()).hexdigest()[:6]
    return f"noisebench-{folder.name}-{root}-{role}"


def warn_of_other_code(submission: Submission) -> None:
    """Log a warning where this node runs other source than was submitted; each record has its commit."""
    here = provenance.source_hash()
    if here != submission.code:
        _log.warning("noisebench has changed since the submission: source %s, now %s", submission.code, here)


def submission_for(
    folder: SweepFolder,
    pending: Iterable[Trial],
    site: Site,
    data_dir: Path | None = None,
    include_failed: bool = False,
) -> Submission:
    """Return the submission of a sweep's pending trials, at least one: no more workers than they can fill.

    Its site has the numbers of trials on a GPU that were measured for this results folder.
    """
    trials = list(pending)
    site = calibrated(site, Calibration.read(folder.results.root), trials)
    return Submission(folder, site, workers_for(trials, site), data_dir, include_failed)


def workers_for(pending: list[Trial], site: Site) -> int:
    """Return how many workers the pending trials can fill, of the site's pools in their order."""
    models = {trial.training.model for trial in pending}
    workers = 0
    places = 0
    for job in site.workers:
        # The model with the fewest places decides: none should have to wait.
        here = min(places_of_worker(job, site.trials_per_gpu.get(model, 1)) for model in models)
        needed = min(job.count, math.ceil((len(pending) - places) / here))
        workers, places = workers + max(0, needed), places + max(0, needed) * here
    return workers


def places_of_worker(job: WorkerJob, trials_per_gpu: int) -> int:
    """Return how many trials run on a worker at a time; on a CPU a trial takes one core."""
    return gpus_of(job) * job.trials_factor * trials_per_gpu or job.cpus


@dataclass(frozen=True)
class Unit:
    """The node that Ray's shares are measured in: what every pool can give for so many GPUs, or cores.

    `gpus` counts a GPU once for each of its pool's `trials_factor`.
    """

    cpus: float
    gpus: int
    memory_mb: int | None


def unit_of(site: Site) -> Unit:
    """Return the unit of a site: the size of its smallest worker, with what each place has in every pool."""
    sizes = [gpus_of(job) * job.trials_factor or job.cpus for job in site.workers]
    least = min(sizes)
    cpus = least * min(job.cpus / size for job, size in zip(site.workers, sizes, strict=True))
    # Ray takes its part once on each node, however many trials the node has.
    memory = [
        (1024 * job.memory_gb - RAY_MEMORY_MB) / size
        for job, size in zip(site.workers, sizes, strict=True)
        if job.memory_gb
    ]
    memory_mb = int(least * min(memory)) + RAY_MEMORY_MB if len(memory) == len(sizes) else None
    return Unit(cpus, least if gpus_of(site.workers[0]) else 0, memory_mb)
