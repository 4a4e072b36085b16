"""Where everything stands in a results folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ResultsFolder:
    """The paths of one results folder; making one touches no file."""

    root: Path

    @property
    def database(self) -> Path:
        """The DuckDB file that people query; a cache of the journal."""
        return self.root / "results.duckdb"

    @property
    def journal(self) -> Path:
        """The folder of all journal files, one sub-folder a sweep."""
        return self.root / "journal"

    @property
    def sweeps(self) -> Path:
        """The folder of all sweeps as submitted."""
        return self.root / "sweeps"

    def sweep(self, name: str) -> Path:
        """The folder of one sweep: its spec, manifest, lock and logs."""
        return self.sweeps / name

    def spec(self, sweep: str) -> Path:
        """The sweep's YAML as submitted."""
        return self.sweep(sweep) / "spec.yaml"

    def manifest(self, sweep: str) -> Path:
        """The sweep's trials, one JSON line each."""
        return self.sweep(sweep) / "manifest.jsonl"

    def logs(self, sweep: str) -> Path:
        """The folder of what a sweep's trials printed, one file a process."""
        return self.sweep(sweep) / "logs"

    def heartbeats(self, sweep: str) -> Path:
        """The folder of a sweep's heartbeats, one file a worker."""
        return self.root / "heartbeats" / sweep

    def scores(self, trial_id: str) -> Path:
        """The per-sample scores of a completed trial."""
        return self.root / "scores" / trial_id[:2] / f"{trial_id}.parquet"

    def checkpoint(self, trial_id: str) -> Path:
        """The folder of a trial's finished folds and epochs, gone once it completed."""
        return self.root / "checkpoints" / trial_id
