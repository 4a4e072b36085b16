"""How a sweep is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class Cluster:
    """A running Ray cluster to join.

    `address` is that of its head, `own_address` that of this machine in the cluster's network. Up to `nodes`
    nodes of `cpus` and `gpus` each come and go; `trials_per_gpu` trials of a model share a GPU, one if it is
    not named. `scratch` is a local folder for Tune's own files. `memory_mb` is the memory of a node that is
    ours, `minutes` for how long; None: unknown.
    """

    address: str
    own_address: str
    nodes: int
    cpus: float
    gpus: int
    trials_per_gpu: Mapping[str, int]
    scratch: Path
    memory_mb: int | None = None
    minutes: int | None = None


@dataclass(frozen=True)
class Options:
    """How to run a sweep on this machine, or on a cluster; None means all that the machine has.

    `trials_per_gpu` trials of a model share a GPU, one if it is not named. `block` runs this block alone.
    `inline` runs one trial after another in this process, without Ray.
    `trial` names one trial by the first digits of its id: it is run even if it has a result already,
    and the two results can be compared. `include_failed` runs failed trials again; with `submitted_at` only
    those that failed before, so that a driver does not repeat what failed under its predecessor; losses since
    then count on, and a trial that lacked memory once has its second attempt.
    `restart` lets stopped blocks run again. `replace_sweep` lets this sweep replace a different one of the
    same name. `execute` ("module:function") replaces the measurement, for benchmarks of the machinery.
    `memory_mb` is what all trials on this machine may take together. `allowance_minutes` is how long a trial
    may take; None: ten times its estimate, at least 10. `cluster` starts the Ray cluster to run on; it is
    called only if there is something to run.
    """

    data_dir: Path | None = None
    cpus: int | None = None
    gpus: int | None = None
    trials_per_gpu: Mapping[str, int] = field(default_factory=dict)
    block: str | None = None
    inline: bool = False
    include_failed: bool = False
    restart: bool = False
    replace_sweep: bool = False
    submitted_at: datetime | None = None
    trial: str | None = None
    execute: str | None = None
    memory_mb: float | None = None
    allowance_minutes: float | None = None
    cluster: Callable[[], AbstractContextManager[Cluster]] | None = None
