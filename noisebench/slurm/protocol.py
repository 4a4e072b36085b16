"""Every message between the jobs of a submitted sweep.

They are small files in `sweeps/<name>/slurm/`, a folder that only the user can enter. Each is replaced in one
step, so a reader sees the old one or the new one.

| file | writer | reader | meaning |
|---|---|---|---|
| `head.json` | driver, every 2 s | workers, other drivers | the driver's Ray, or: done |
| `token` | submit | driver, workers | Ray's authentication token; removed at the sweep's end |
| `submission.json` | submit | status, resume, scale | what was submitted, and its first jobs |
| `site.yaml` | submit | resume, scale | the site's profile at that time |
| `scale.json` | scale | driver | how many workers are wanted |
| `pools/<job>` | submit, driver | driver | the pool of an array of workers |
| `drain/<job>` | driver, cancel | that worker, driver | finish the running trials, then leave for good |
| `unneeded/<job>` | driver, that worker | driver | cancelled, or without work: not to be replaced |
| `requeue/<job>` | worker | its batch script, driver | this job wants to go back into the queue, and why |
| `driver-faults.json` | driver | its standby | how many drivers in a row ended by a fault |
| `faults/<role>-<job>.txt` | any job | status, driver | what is wrong with the job's surroundings |

A worker also leaves a note for the engine (`heartbeats/<sweep>/<worker>.left`, see `engine/node.py`).

The states of a worker's job:

    waiting --- driver has started ---> looking <------------------+
                                           |                        |
                        head.json shows a live driver      new generation, or
                                           v               the driver's Ray is gone
                                        joined ---------------------+
                                           |
             +-----------+-----------+-----+-----+------------+-------------+
             v           v           v           v            v             v
           done        idle      no-driver   scaled-down  cancelled   time-limit, preempted
             |           |           |           |            |             |
             +-----------+----- job ends --------+------------+     requeue/<job> written:
                                                                    the batch script, or else the
                                                                    driver, requeues: waiting

A driver's job: waiting -> holds the sweep's lock -> where it finds another driver's head, publishes one
without an address and waits for some beats -> reads the records, starts Ray -> publishes head.json with a
generation higher than the one it found -> the sweep is done (exit 0), or it fails and its standby starts
(`afternotok`), or it reads a generation higher than its own and ends (exit 0, so that its own standby
does not start).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

from noisebench.engine.node import write_token
from noisebench.records.attempts import now
from noisebench.records.durable import read_inside, write_durably
from noisebench.records.folders import SweepFolder
from noisebench.records.periodic import periodically

BEAT_SECONDS = 2.0
# Folders of notes that belong to one submission.
_NOTES = ("pools", "requeue", "drain", "unneeded", "faults")


class WorkerEnd(StrEnum):
    """Why a worker's job ends."""

    DONE = "done"
    IDLE = "idle"
    NO_DRIVER = "no-driver"
    SCALED_DOWN = "scaled-down"
    CANCELLED = "cancelled"
    TIME_LIMIT = "time-limit"
    PREEMPTED = "preempted"

    @property
    def wants_requeue(self) -> bool:
        """Whether the job is to run again."""
        return self in (WorkerEnd.TIME_LIMIT, WorkerEnd.PREEMPTED)


@dataclass(frozen=True)
class Head:
    """What a driver publishes: its Ray's address, how often it was renewed, whether the sweep is done.

    `address` is empty while the driver starts, and once the sweep is done. `driver` names the driver's
    process, `generation` counts drivers: of two, the one with the higher number stays. A reader that
    sees `beat` change knows that the driver lives, without comparing clocks.
    """

    address: str
    driver: str
    generation: int
    beat: int = 0
    done: bool = False

    @property
    def rank(self) -> tuple[int, str]:
        """The order of drivers; the name decides between two that started at the same time."""
        return self.generation, self.driver


@dataclass(frozen=True)
class Kept:
    """The last submission of a sweep: enough to find its jobs and to submit it again."""

    site: str
    data: str | None
    submitted_at: str
    code: str
    jobs: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class ScaleRequest:
    """How many workers `noisebench scale` asked for last, and when (ISO 8601)."""

    workers: int
    asked_at: str = ""


class Messages:
    """The messages of one sweep."""

    def __init__(self, sweep: SweepFolder) -> None:
        self.folder = sweep.slurm

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
    def requeue_folder(self) -> Path:
        """Notes of the jobs that want to be requeued."""
        return self.folder / "requeue"

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
        self.forget_unneeded()
        self._write_json("scale.json", asdict(ScaleRequest(workers, now())))

    def scale_request(self) -> ScaleRequest | None:
        """Return what was asked for last since the submission, None if there was no request."""
        try:
            return ScaleRequest(**self._read("scale.json"))
        except (OSError, ValueError, TypeError):
            return None

    def note_unneeded(self, job_id: str) -> None:
        """Note that a worker that has left is not to be replaced."""
        self._write(f"unneeded/{job_id}", b"")

    def unneeded_workers(self) -> int:
        """Return how many workers that have left since the last request are not to be replaced."""
        return sum(1 for _ in (self.folder / "unneeded").glob("[0-9]*"))

    def forget_unneeded(self) -> None:
        """Let all workers that leave be replaced again."""
        for path in (self.folder / "unneeded").glob("[0-9]*"):
            path.unlink(missing_ok=True)

    def ask_to_drain(self, job_id: str) -> None:
        """Ask a worker to finish its trials and leave."""
        self._write(f"drain/{job_id}", b"")

    def is_draining(self, job_id: str) -> bool:
        """Whether a worker was asked to leave."""
        return (self.folder / "drain" / job_id).exists()

    def note_pool(self, array: str, pool: int) -> None:
        """Keep to which of the site's pools an array belongs."""
        self._write(f"pools/{array}", str(pool).encode())

    def pool_of(self, job_id: str) -> int:
        """Return the index of a worker's pool; 0 where it is not known."""
        try:
            return int((self.folder / "pools" / job_id.split("_")[0]).read_text())
        except (OSError, ValueError):
            return 0

    # Back into the queue

    def ask_for_requeue(self, job_id: str, reason: WorkerEnd) -> None:
        """Ask the job's batch script to requeue it."""
        self._write(f"requeue/{job_id}", reason.encode())

    def wants_requeue(self, job_id: str) -> bool:
        """Whether a job asked to be requeued since it last started."""
        return (self.requeue_folder / job_id).exists()

    def forget_requeue(self, job_id: str) -> None:
        """Remove the request of a job that has started again."""
        (self.requeue_folder / job_id).unlink(missing_ok=True)

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
        found = {}
        for path in sorted((self.folder / "faults").glob("*.txt")):
            with suppress(OSError):  # no file, or one that was just removed
                found[path.stem] = read_inside(self.folder, f"faults/{path.name}").decode(errors="replace")
        return found

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
