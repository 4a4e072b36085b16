"""A sweep meant for a site: what its jobs are called, how many they are, where their files stand."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from noisebench.slurm.job import gpus_per_node
from noisebench.slurm.site import Site
from noisebench.spec.trial import Trial
from noisebench.trial.layout import ResultsFolder


@dataclass(frozen=True)
class Submission:
    """One sweep on one site, as its jobs are told of it.

    `workers` is how many worker jobs there are, `generation` which driver this is, counted from 1.
    """

    sweep: str
    site: Site
    results: ResultsFolder
    workers: int
    data_dir: Path | None = None
    generation: int = 1

    @property
    def _folder(self) -> Path:
        return self.results.sweep(self.sweep) / "slurm"

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
        """Return the name by which Slurm knows the driver or the worker jobs.

        A sweep of the same name in another results folder has other names.
        """
        folder = hashlib.sha256(str(self.results.root).encode()).hexdigest()[:6]
        return f"noisebench-{self.sweep}-{folder}-{role}"


def submission_for(
    sweep: str, pending: Iterable[Trial], site: Site, results: ResultsFolder, data_dir: Path | None = None
) -> Submission:
    """Return the submission of a sweep's pending trials, at least one: no more workers than they can fill."""
    workers = min(site.worker.count, _workers_needed(list(pending), site))
    return Submission(sweep, site, results, workers, data_dir)


def _workers_needed(pending: list[Trial], site: Site) -> int:
    gpus = gpus_per_node(site.worker)
    models = {trial.training.model for trial in pending}
    # A trial on a CPU takes one core. The model with the fewest places decides: none should have to wait.
    places = min(gpus * site.trials_per_gpu.get(model, 1) if gpus else site.worker.cpus for model in models)
    return math.ceil(len(pending) / (places * site.worker.nodes_per_job))
