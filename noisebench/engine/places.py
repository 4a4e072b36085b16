"""How machines are divided among trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import ray

from noisebench.catalogue.models import MODELS
from noisebench.sweep.trial import Trial

# What Ray's own processes take of a node, with the job's.
RAY_MEMORY_MB = 1024


@dataclass(frozen=True)
class Share:
    """What one trial gets of a machine; `concurrent` trials run there at a time."""

    cpus: float
    gpus: float
    concurrent: int

    def larger(self) -> Share | None:
        """Return a share with fewer beside it, a whole GPU or twice as much; None if alone already."""
        if self.concurrent == 1:
            return None
        times = round(1 / self.gpus) if 0 < self.gpus < 1 else 2
        gpus = 1.0 if 0 < self.gpus < 1 else 2 * self.gpus
        return Share(times * self.cpus, gpus, max(1, self.concurrent // times))


@dataclass(frozen=True)
class Places:
    """What a trial of a model gets, by the model's name; at most `concurrent` are handed out at a time.

    `memory_mb` is what all trials on a node may take together; None: whatever is free there. `node_seconds`
    is how long a node is ours; None: without limit.
    """

    share_for: Callable[[str], Share]
    concurrent: int
    memory_mb: float | None = None
    node_seconds: float | None = None

    def larger(self) -> Places:
        """Return the same machines with a larger share for each trial."""
        share_for = self.share_for
        return replace(
            self,
            share_for=lambda model: share_for(model).larger() or share_for(model),
            concurrent=max(1, self.concurrent // 2),
        )

    def has_more(self, trial: Trial, error_kind: str) -> bool:
        """Whether a trial that failed like this could be given more of what it lacked."""
        share = self.share_for(trial.training.model)
        if error_kind == "gpu-memory":
            return 0 < share.gpus < 1
        return error_kind == "host-memory" and share.larger() is not None


def share_of(cpus: float, gpus: float, trials_per_gpu: int) -> Share:
    """Divide a machine among trials: one CPU thread each, or a part of a GPU each where there are GPUs."""
    if gpus < 1:
        return Share(1, 0, max(1, int(cpus)))
    concurrent = int(gpus) * trials_per_gpu
    return Share(min(1.0, cpus / concurrent), 1 / trials_per_gpu, concurrent)


def local_places(trials_per_gpu: Mapping[str, int], memory_mb: float | None = None) -> Places:
    """Return the places of the one machine that Ray is initialised on."""
    total = ray.cluster_resources()  # type: ignore[no-untyped-call]
    places = places_of(total.get("CPU", 1), total.get("GPU", 0), trials_per_gpu)
    return replace(places, memory_mb=memory_mb)


def places_of(cpus: float, gpus: float, trials_per_gpu: Mapping[str, int], nodes: int = 1) -> Places:
    """Return the places of machines alike; `trials_per_gpu` trials of a model share a GPU, else one."""

    def share_for(model: str) -> Share:
        return share_of(cpus, gpus, trials_per_gpu.get(model, 1))

    return Places(share_for, nodes * max(share_for(model).concurrent for model in MODELS))
