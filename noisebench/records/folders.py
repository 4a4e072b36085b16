"""The paths in a results folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ResultsFolder:
    """The paths of one results folder; creating the object touches no file."""

    root: Path

    @property
    def database(self) -> Path:
        """The DuckDB file that people query; a cache of the journal."""
        return self.root / "results.duckdb"

    @property
    def journal(self) -> Path:
        """The folder of all journal files, one sub-folder for each sweep."""
        return self.root / "journal"

    @property
    def sweeps(self) -> Path:
        """The folder of all sweeps as submitted."""
        return self.root / "sweeps"

    @property
    def own_data(self) -> Path:
        """The folder of users' own data, one sub-folder for each content."""
        return self.root / "data"

    def sweep(self, name: str) -> SweepFolder:
        """Return the paths of one sweep."""
        return SweepFolder(self, name)

    def scores(self, trial_id: str) -> Path:
        """Return the file of the per-sample scores of a completed trial."""
        return self.root / "scores" / trial_id[:2] / f"{trial_id}.parquet"

    def checkpoint(self, trial_id: str) -> Path:
        """Return the folder of a trial's finished folds and epochs, removed when the trial completes."""
        return self.root / "checkpoints" / trial_id

    @property
    def evidences(self) -> Path:
        """The folder of the evidence that trials share."""
        return self.root / "evidence"

    def evidence(self, evidence_id: str) -> Path:
        """Return the file of one training's evidence."""
        return self.evidences / f"{evidence_id}.evidence"


@dataclass(frozen=True)
class SweepFolder:
    """The paths of one sweep in a results folder; creating the object touches no file."""

    results: ResultsFolder
    name: str

    @property
    def path(self) -> Path:
        """The folder of the sweep's spec, manifest, lock and logs."""
        return self.results.sweeps / self.name

    @property
    def spec(self) -> Path:
        """The sweep's YAML as submitted."""
        return self.path / "spec.yaml"

    @property
    def manifest(self) -> Path:
        """The sweep's trials, one JSON line each."""
        return self.path / "manifest.jsonl"

    @property
    def allowed_code(self) -> Path:
        """The users' modules that the sweep may run."""
        return self.path / "allowed-code.json"

    @property
    def lock(self) -> Path:
        """The file that the driver of the sweep locks."""
        return self.path / "lock"

    @property
    def awaited_evidence(self) -> Path:
        """The ids of the evidence that the sweep's pending trials judge by, one a line."""
        return self.path / "awaited-evidence.txt"

    @property
    def stopped(self) -> Path:
        """The stopped blocks and their errors, as JSON."""
        return self.path / "stopped.json"

    @property
    def suspects(self) -> Path:
        """The folder of the suspects that the sweep found in a user's own data, and of their review."""
        return self.results.root / "suspects" / self.name

    @property
    def logs(self) -> Path:
        """The folder of the trials' logs, one file for each process."""
        return self.path / "logs"

    @property
    def slurm(self) -> Path:
        """The folder of the sweep's Slurm jobs: their messages to each other and their output."""
        return self.path / "slurm"

    @property
    def journal(self) -> Path:
        """The folder of the sweep's journal files, one for each process."""
        return self.results.journal / self.name

    @property
    def heartbeats(self) -> Path:
        """The folder of the sweep's heartbeats, one file for each worker."""
        return self.results.root / "heartbeats" / self.name
