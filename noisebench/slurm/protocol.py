"""Every message between the jobs of a submitted sweep.

They are small files in `sweeps/<name>/slurm/`, a folder that only the user can enter. Each is replaced in one
step, so a reader sees the old one or the new one. `messages.py` reads and writes them, `worker_notes.py`
those about one worker.

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

from dataclasses import dataclass, field
from enum import StrEnum


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
