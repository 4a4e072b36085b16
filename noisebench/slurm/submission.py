"""A sweep meant for a site: what its jobs are called, how many they are, where their files stand."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from noisebench.records import provenance
from noisebench.records.durable import write_durably
from noisebench.records.folders import ResultsFolder
from noisebench.slurm.job import gpus_per_node
from noisebench.slurm.site import Site
from noisebench.sweep.trial import Trial

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submission:
    """One sweep on one site, as its jobs are told of it.

    `workers` is how many worker jobs there are, `generation` which driver this is, counted from 1.
    `include_failed`: what failed before `submitted_at` is run again. `execute` ("module:function") replaces
    the measurement, for benchmarks of the machinery. `code` is the hash of noisebench's own
    source at that time.
    """

    sweep: str
    site: Site
    results: ResultsFolder
    workers: int
    data_dir: Path | None = None
    include_failed: bool = False
    execute: str | None = None
    generation: int = 1
    submitted_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    code: str = field(default_factory=provenance.source_hash)

    @property
    def _folder(self) -> Path:
        return slurm_folder(self.results, self.sweep)

    @property
    def token(self) -> Path:
        """The secret that admits to the sweep's Ray, in a folder for the user alone."""
        return self._folder / "private" / "token"

    @property
    def head(self) -> Path:
        """Where the driver says that it lives, at which address."""
        return self._folder / "head.json"

    @property
    def jobs_folder(self) -> Path:
        """submitit's folder: scripts, arguments and logs of all jobs, seen by every node."""
        return self._folder / "jobs"

    def job_name(self, role: str) -> str:
        """Return the name by which Slurm knows the driver or the worker jobs."""
        return job_name(self.results, self.sweep, role)


def slurm_folder(results: ResultsFolder, sweep: str) -> Path:
    """Return the folder of all that a sweep's jobs share; it is there once the sweep was submitted."""
    return results.sweep(sweep).slurm


def job_name(results: ResultsFolder, sweep: str, role: str) -> str:
    """Return the name by which Slurm knows a sweep's jobs of a role, driver or worker.

    A sweep of the same name in another results folder has other names.
    """
    folder = hashlib.sha256(str(results.root).encode()).hexdigest()[:6]
    return f"noisebench-{sweep}-{folder}-{role}"


def warn_of_other_code(submission: Submission) -> None:
    """Log a warning where this node runs other source than was submitted; each record tells its commit."""
    here = provenance.source_hash()
    if here != submission.code:
        _log.warning("noisebench has changed since the submission: source %s, now %s", submission.code, here)


def keep_submission(submission: Submission, jobs: Iterable[tuple[str, str]]) -> None:
    """Write down what was submitted, for `kept_submission`; `jobs` are (role, job id) pairs."""
    kept = {
        "site": submission.site.site,
        "submitted_at": submission.submitted_at.isoformat(timespec="seconds"),
        "code": submission.code,
        "jobs": list(jobs),
    }
    path = slurm_folder(submission.results, submission.sweep) / "submission.json"
    write_durably(path, json.dumps(kept, indent=2).encode())


def kept_submission(results: ResultsFolder, sweep: str) -> dict[str, Any] | None:
    """Return site, submitted_at (ISO 8601), code and jobs of the last submission; None if there was none."""
    try:
        kept = json.loads((slurm_folder(results, sweep) / "submission.json").read_text())
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) else None


def submission_for(
    sweep: str,
    pending: Iterable[Trial],
    site: Site,
    results: ResultsFolder,
    data_dir: Path | None = None,
    include_failed: bool = False,
) -> Submission:
    """Return the submission of a sweep's pending trials, at least one: no more workers than they can fill."""
    workers = min(site.worker.count, _workers_needed(list(pending), site))
    return Submission(sweep, site, results, workers, data_dir, include_failed)


def _workers_needed(pending: list[Trial], site: Site) -> int:
    gpus = gpus_per_node(site.worker)
    models = {trial.training.model for trial in pending}
    # A trial on a CPU takes one core. The model with the fewest places decides: none should have to wait.
    places = min(gpus * site.trials_per_gpu.get(model, 1) if gpus else site.worker.cpus for model in models)
    return math.ceil(len(pending) / (places * site.worker.nodes_per_job))
