"""What a job found wrong with its surroundings, kept for `status` to show."""

from __future__ import annotations

import shutil
from pathlib import Path

from noisebench.records.durable import write_durably
from noisebench.records.folders import ResultsFolder
from noisebench.slurm.submission import slurm_folder


def note_fault(results: ResultsFolder, sweep: str, job: str, message: str) -> None:
    """Keep why a job, named by its role and id, could not do its work."""
    write_durably(_folder(results, sweep) / f"{job}.txt", message.encode())


def faults(results: ResultsFolder, sweep: str) -> dict[str, str]:
    """Return what the jobs of the last submission found wrong, by job."""
    return {path.stem: path.read_text() for path in sorted(_folder(results, sweep).glob("*.txt"))}


def forget_faults(results: ResultsFolder, sweep: str) -> None:
    """Begin a new submission."""
    shutil.rmtree(_folder(results, sweep), ignore_errors=True)


def _folder(results: ResultsFolder, sweep: str) -> Path:
    return slurm_folder(results, sweep) / "faults"
