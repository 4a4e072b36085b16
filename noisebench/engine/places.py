"""How machines are divided among trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from noisebench.records.attempts import ErrorKind
from noisebench.sweep.trial import Trial


@dataclass(frozen=True)
class Share:
    """What one trial gets of a machine on which `concurrent` such trials run at a time."""

    cpus: float
    gpus: float
    concurrent: int

    def larger(self) -> Share | None:
        """Return a share with fewer trials beside it, a whole GPU or twice as much; None if alone already."""
        if self.concurrent == 1:
            return None
        factor = round(1 / self.gpus) if 0 < self.gpus < 1 else 2
        gpus = 1.0 if 0 < self.gpus < 1 else 2 * self.gpus
        return Share(factor * self.cpus, gpus, max(1, self.concurrent // factor))

    @property
    def part(self) -> float:
        """The part of its machine that one trial takes, from 0 to 1."""
        return 1 / self.concurrent

    def resources(self) -> dict[str, float]:
        """Return the resources that Ray reserves for one trial."""
        return {"CPU": self.cpus, **({"GPU": self.gpus} if self.gpus else {})}


def share_of(cpus: float, gpus: float, trials_per_gpu: int) -> Share:
    """Divide a machine among trials: one CPU thread each, or a part of a GPU each where there are GPUs."""
    if gpus < 1:
        return Share(1, 0, max(1, int(cpus)))
    concurrent = int(gpus) * trials_per_gpu
    return Share(min(1.0, cpus / concurrent), 1 / trials_per_gpu, concurrent)


def _one_machine() -> float:
    return 1


@dataclass(frozen=True)
class Places:
    """The share that a trial gets, by the name of its model, on `machines()` equal machines.

    At most `max_concurrent` trials are handed out at a time, however many machines there may be.
    `memory_mb` is what all trials of a machine may take together, None for whatever is free.
    `machine_seconds` is for how long a machine is available, None without limit.
    """

    shares: Mapping[str, Share]
    max_concurrent: int
    machines: Callable[[], float] = _one_machine
    memory_mb: float | None = None
    machine_seconds: float | None = None

    def share_for(self, trial: Trial) -> Share:
        """Return the share of one trial."""
        return self.shares[trial.training.model]

    def larger(self) -> Places:
        """Return the same machines with a larger share for each trial."""
        shares = {model: share.larger() or share for model, share in self.shares.items()}
        return replace(self, shares=shares, max_concurrent=max(1, self.max_concurrent // 2))

    def has_larger_share(self, trial: Trial, error_kind: ErrorKind) -> bool:
        """Return whether a trial that failed with an error of this kind could get more of what it lacked."""
        share = self.share_for(trial)
        if error_kind == ErrorKind.GPU_MEMORY:
            return 0 < share.gpus < 1
        return error_kind == ErrorKind.HOST_MEMORY and share.larger() is not None


def places_of(
    cpus: float,
    gpus: float,
    trials_per_gpu: Mapping[str, int],
    models: Iterable[str],
    max_machines: int = 1,
) -> Places:
    """Return the places for trials of `models` on equal machines.

    `trials_per_gpu` trials of a model share a GPU; of a model that it does not name, one has it alone.
    """
    shares = {model: share_of(cpus, gpus, trials_per_gpu.get(model, 1)) for model in models}
    return Places(shares, max_machines * max(share.concurrent for share in shares.values()))
