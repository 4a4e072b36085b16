"""How a sweep is to be run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class Cluster:
    """A Ray that is up already, to be joined.

    `address` is its head's, `own_address` the one by which this machine is known there. Up to `nodes` nodes
    of `cpus` and `gpus` each come and go; `trials_per_gpu` trials of a model share a GPU, one where it is
    absent. `scratch` takes Tune's own files. `memory_mb` is what we have of a node in all,
    `minutes` for how long; None: unknown.
    """

    address: str
    own_address: str
    nodes: int
    cpus: int
    gpus: int
    trials_per_gpu: Mapping[str, int]
    scratch: Path
    memory_mb: int | None = None
    minutes: int | None = None


@dataclass(frozen=True)
class Options:
    """How to run a sweep here; None means what the machine has.

    `trials_per_gpu` trials of a model share a GPU, one where it is absent.
    `trial` names one trial by the first digits of its id: it is run even where it has a result already,
    and the two results are then compared. `include_failed` runs what failed once more: what failed before
    `submitted_at`, where that is known, so that a driver does not repeat what failed under the one before it.
    `restart` lets stopped blocks run again. `memory_mb` is what all trials on this machine may take
    together. `allowance_minutes` is how long a trial may take; None: ten times its estimate, at least 10.
    `cluster`, where trials are not run on this machine, raises what they are run on once there is something
    to run.
    """

    data_dir: Path | None = None
    cpus: int | None = None
    gpus: int | None = None
    trials_per_gpu: Mapping[str, int] = field(default_factory=dict)
    block: str | None = None
    inline: bool = False
    include_failed: bool = False
    restart: bool = False
    submitted_at: datetime | None = None
    trial: str | None = None
    execute: str | None = None
    memory_mb: float | None = None
    allowance_minutes: float | None = None
    cluster: Callable[[], AbstractContextManager[Cluster]] | None = None
