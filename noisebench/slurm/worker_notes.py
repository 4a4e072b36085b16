"""Notes about one worker's job each: its pool, and whether it is to leave, to be replaced, to run again.

They are files named after the job; `protocol.py` lists them.
"""

from __future__ import annotations

from pathlib import Path

from noisebench.records.durable import write_durably
from noisebench.slurm.protocol import WorkerEnd

FOLDERS = ("pools", "requeue", "drain", "unneeded")


class WorkerNotes:
    """The notes about the workers of one sweep, in its folder of messages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note_pool(self, array: str, pool: int) -> None:
        """Keep to which of the site's pools an array belongs."""
        self._write(f"pools/{array}", str(pool).encode())

    def pool_of(self, job_id: str) -> int:
        """Return the index of a worker's pool; 0 where it is not known."""
        try:
            return int((self._folder / "pools" / job_id.split("_")[0]).read_text())
        except (OSError, ValueError):
            return 0

    def ask_to_drain(self, job_id: str) -> None:
        """Ask a worker to finish its trials and leave."""
        self._write(f"drain/{job_id}", b"")

    def is_draining(self, job_id: str) -> bool:
        """Whether a worker was asked to leave."""
        return (self._folder / "drain" / job_id).exists()

    def note_unneeded(self, job_id: str) -> None:
        """Note that a worker that has left is not to be replaced."""
        self._write(f"unneeded/{job_id}", b"")

    def count_unneeded(self) -> int:
        """Return how many workers that have left since the last request are not to be replaced."""
        return sum(1 for _ in (self._folder / "unneeded").glob("[0-9]*"))

    def forget_unneeded(self) -> None:
        """Let all workers that leave be replaced again."""
        for path in (self._folder / "unneeded").glob("[0-9]*"):
            path.unlink(missing_ok=True)

    @property
    def requeue_folder(self) -> Path:
        """Notes of the jobs that want to be requeued."""
        return self._folder / "requeue"

    def ask_for_requeue(self, job_id: str, reason: WorkerEnd) -> None:
        """Ask the job's batch script to requeue it."""
        self._write(f"requeue/{job_id}", reason.encode())

    def wants_requeue(self, job_id: str) -> bool:
        """Whether a job asked to be requeued since it last started."""
        return (self.requeue_folder / job_id).exists()

    def forget_requeue(self, job_id: str) -> None:
        """Remove the request of a job that has started again."""
        (self.requeue_folder / job_id).unlink(missing_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        write_durably(self._folder / name, content)
