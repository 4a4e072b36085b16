"""A sweep for a site: the names and number of its jobs."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from noisebench.records import provenance
from noisebench.records.folders import SweepFolder
from noisebench.slurm.job import gpus_per_node
from noisebench.slurm.protocol import Messages
from noisebench.slurm.site import Site
from noisebench.sweep.trial import Trial

# The driver and its standby.
DRIVER_JOBS = 2

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submission:
    """One sweep on one site, as its jobs get to know it.

    `workers` is the number of worker jobs, `number` that of this driver, counted from 1. `include_failed`:
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
    submitted_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    code: str = field(default_factory=provenance.source_hash)

    @property
    def messages(self) -> Messages:
        """The files by which the sweep's jobs speak to each other."""
        return Messages(self.folder)

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
    """Return the submission of a sweep's pending trials, at least one: no more workers than they can fill."""
    workers = min(site.worker.count, _workers_needed(list(pending), site))
    return Submission(folder, site, workers, data_dir, include_failed)


def _workers_needed(pending: list[Trial], site: Site) -> int:
    gpus = gpus_per_node(site.worker)
    models = {trial.training.model for trial in pending}
    # A trial on a CPU takes one core. The model with the fewest places decides: none should have to wait.
    places = min(gpus * site.trials_per_gpu.get(model, 1) if gpus else site.worker.cpus for model in models)
    return math.ceil(len(pending) / places)
