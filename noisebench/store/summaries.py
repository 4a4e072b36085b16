"""Everything in a results folder at a glance: how far it is, what failed, what it cost."""

from dataclasses import dataclass
from datetime import datetime

from noisebench.store.store import Store


@dataclass(frozen=True)
class Overview:
    """All trials of a results folder by state, and what all their attempts took.

    `started` are those with no end recorded; times are in UTC, None without attempts.
    """

    trials: int
    completed: int
    failed: int
    started: int
    pending: int
    gpu_hours: float
    cpu_thread_hours: float
    first_start: datetime | None
    last_end: datetime | None
    hardware: list[str]
    commits: list[str]


@dataclass(frozen=True)
class BlockCompletion:
    """How many trials of a block are completed."""

    block: str
    sweep: str
    trials: int
    completed: int


@dataclass(frozen=True)
class BlockProgress:
    """The trials of a block by state."""

    sweep: str
    block: str
    trials: int
    completed: int
    started: int
    failed: int
    pending: int


@dataclass(frozen=True)
class BlockHours:
    """The device hours of a block's trials, over all attempts."""

    sweep: str
    block: str
    trials: int
    completed: int
    gpu_hours: float
    cpu_thread_hours: float


@dataclass(frozen=True)
class TrialCost:
    """What the completed trials of one kind cost on one kind of hardware.

    `minutes` is the median, `memory_gb` the highest, in GiB; both are None where not recorded.
    """

    dataset: str
    detector: str
    model: str
    dynamics: bool
    hardware: str
    trials: int
    minutes: float | None
    memory_gb: float | None


@dataclass(frozen=True)
class SweepFailure:
    """Failed trials of a sweep with the same error; `example` is the id of one, `traceback` its own."""

    sweep: str
    error_kind: str | None
    error: str | None
    trials: int
    example: str
    traceback: str | None


@dataclass(frozen=True)
class Doubt:
    """What makes numbers doubtful: how many times, and one example."""

    what: str
    times: int
    example: str


@dataclass(frozen=True)
class Metric:
    """A number of a result; `higher_is_better` is None where neither way is better."""

    name: str
    higher_is_better: bool | None
    description: str


def overview(store: Store) -> Overview:
    """Return the trials by state, the hours of all attempts, and on what they ran."""
    (row,) = store.typed_rows(Overview, "summaries/overview")
    return row


def blocks(store: Store) -> list[BlockCompletion]:
    """Return all blocks of all sweeps, the fullest of a name first."""
    return store.typed_rows(BlockCompletion, "summaries/blocks")


def block_progress(store: Store) -> list[BlockProgress]:
    """Return every block with its trials by state, in the order of sweeps and manifests."""
    return store.typed_rows(BlockProgress, "queries/progress")


def block_hours(store: Store) -> list[BlockHours]:
    """Return the hours of every block, in the order of sweeps and manifests."""
    return store.typed_rows(BlockHours, "summaries/hours")


def trial_costs(store: Store) -> list[TrialCost]:
    """Return what a completed trial cost by data set, detector, model, dynamics and hardware."""
    return store.typed_rows(TrialCost, "summaries/cost")


def all_failures(store: Store) -> list[SweepFailure]:
    """Return the failed trials by sweep and error, the most frequent first."""
    return store.typed_rows(SweepFailure, "summaries/failures")


def doubts(store: Store) -> list[Doubt]:
    """Return all that makes numbers doubtful, the most frequent first."""
    return store.typed_rows(Doubt, "summaries/doubts")


def metrics(store: Store) -> list[Metric]:
    """Return each metric of the results."""
    return store.typed_rows(Metric, "summaries/metrics")
