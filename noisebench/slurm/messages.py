"""The messages between the jobs of a sweep, read and written; `protocol.py` says what they mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

from noisebench.engine.node import write_token
from noisebench.records.attempts import now
from noisebench.records.durable import read_inside, write_durably
from noisebench.records.folders import SweepFolder
from noisebench.records.periodic import periodically
from noisebench.slurm import worker_notes
from noisebench.slurm.protocol import Head, Kept, ScaleRequest
from noisebench.slurm.worker_notes import WorkerNotes

BEAT_SECONDS = 2.0
# Folders of notes that belong to one submission.
_NOTES = (*worker_notes.FOLDERS, "faults")


class Messages:
    """The messages of one sweep; `workers`: those about one worker."""

    def __init__(self, sweep: SweepFolder) -> None:
        self.folder = sweep.slurm
        self.workers = WorkerNotes(self.folder)

    @property
    def token(self) -> Path:
        """Path of Ray's authentication token (mode 0600)."""
        return self.folder / "token"

    def forget_token(self) -> None:
        """Remove the token of a sweep whose jobs need no Ray any more."""
        self.token.unlink(missing_ok=True)

    @property
    def jobs_folder(self) -> Path:
        """Scripts, arguments and logs of all jobs."""
        return self.folder / "jobs"

    @property
    def exists(self) -> bool:
        """Whether the sweep was ever submitted."""
        return self.folder.is_dir()

    def begin(self) -> None:
        """Make the folder for a new submission, with a new token and without messages of earlier ones.

        Of the earlier jobs, none of which is live, scripts and logs are kept.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for name in ("jobs", *_NOTES):
            (self.folder / name).mkdir(exist_ok=True)
        self.jobs_folder.chmod(0o700)
        stale = [path for name in _NOTES for path in (self.folder / name).iterdir()]
        stale += self.jobs_folder.glob("*.pkl")
        stale += [self.folder / name for name in ("head.json", "scale.json", "driver-faults.json")]
        for path in stale:
            path.unlink(missing_ok=True)
        self.forget_token()
        write_token(self.token)

    # The driver's address

    def head(self) -> Head | None:
        """Return what a driver published last, None where there is nothing whole."""
        try:
            return Head(**self._read("head.json"))
        except (OSError, ValueError, TypeError):
            return None

    def next_generation(self) -> int:
        """Return a generation higher than that of every driver before."""
        head = self.head()
        return 1 if head is None else head.generation + 1

    def publish(self, head: Head) -> bool:
        """Publish a head, unless a driver of a later generation has published one; return whether it did."""
        current = self.head()
        if current is not None and current.rank > head.rank:
            return False
        self._write_json("head.json", asdict(head))
        return True

    @contextmanager
    def published(self, head: Head, on_superseded: Callable[[], None]) -> Iterator[None]:
        """Publish the head and renew it until the block ends, or a later driver has published its own."""
        beats = count()
        superseded = False

        def beat() -> None:
            nonlocal superseded
            if superseded:
                return
            with suppress(OSError):  # a full or slow file system: the next beat tries again
                renewed = Head(head.address, head.driver, head.generation, next(beats))
                if not self.publish(renewed):
                    superseded = True
                    on_superseded()

        with periodically(beat, BEAT_SECONDS, "head"):
            yield

    # The submission

    def keep_submission(self, kept: Kept) -> None:
        """Keep what was submitted."""
        self._write_json("submission.json", asdict(kept))

    def kept_submission(self) -> Kept | None:
        """Return the last submission, None where there was none."""
        try:
            fields = self._read("submission.json")
            jobs = [(str(role), str(job)) for role, job in fields.pop("jobs")]
            return Kept(**fields, jobs=jobs)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def keep_site(self, text: str) -> None:
        """Keep the site's profile."""
        self._write("site.yaml", text.encode())

    @property
    def site_file(self) -> Path:
        """The site's profile at the last submission."""
        return self.folder / "site.yaml"

    # The number of workers

    def ask_for_workers(self, workers: int) -> None:
        """Ask the driver for so many workers; to ask again for as many has the lost ones replaced."""
        self.workers.forget_unneeded()
        self._write_json("scale.json", asdict(ScaleRequest(workers, now())))

    def scale_request(self) -> ScaleRequest | None:
        """Return what was asked for last since the submission, None if there was no request."""
        try:
            return ScaleRequest(**self._read("scale.json"))
        except (OSError, ValueError, TypeError):
            return None

    # What is wrong

    def note_fault(self, role: str, job_id: str, message: str) -> None:
        """Keep why a job could not do its work, for `status`."""
        self._write(f"faults/{role}-{job_id}.txt", message.encode())

    def forget_fault(self, role: str, job_id: str) -> None:
        """Remove the fault that was noted of a job."""
        (self.folder / "faults" / f"{role}-{job_id}.txt").unlink(missing_ok=True)

    def count_driver_fault(self, *, has_progressed: bool) -> int:
        """Count a driver that ends by a fault; return how many did in a row, none of them with progress."""
        count = 1
        if not has_progressed:
            with suppress(OSError, ValueError, TypeError, KeyError):
                count += int(self._read("driver-faults.json")["count"])
        with suppress(OSError):  # then the next one counts from here
            self._write_json("driver-faults.json", {"count": count})
        return count

    def faults(self) -> dict[str, str]:
        """Return what the jobs of the last submission found wrong, by role and job."""
        faults = {}
        for path in sorted((self.folder / "faults").glob("*.txt")):
            with suppress(OSError):  # no file, or one that was just removed
                faults[path.stem] = read_inside(self.folder, f"faults/{path.name}").decode(errors="replace")
        return faults

    def _read(self, name: str) -> dict[str, Any]:
        try:
            value = json.loads(read_inside(self.folder, name))
        except RecursionError:
            raise ValueError(f"{name}: nested too deeply") from None
        if not isinstance(value, dict):
            raise ValueError(f"{name}: not an object")
        return value

    def _write_json(self, name: str, value: dict[str, Any]) -> None:
        self._write(name, json.dumps(value, indent=2).encode())

    def _write(self, name: str, content: bytes) -> None:
        write_durably(self.folder / name, content)
