"""One Ray Tune run over the queue, on the Ray this process is connected to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray import tune

from noisebench.engine.overdue import overdue_judge
from noisebench.engine.queue import TrialQueue
from noisebench.engine.scheduler import NewcomerScheduler
from noisebench.engine.searcher import QueueSearcher
from noisebench.engine.trainable import TrialActor
from noisebench.spec.catalogue import MODELS
from noisebench.spec.trial import Trial
from noisebench.trial.layout import ResultsFolder
from noisebench.trial.memory import available_mb

# Read by Tune when it starts. Its own state is never the source of truth: it is written rarely and
# thrown away. Trials must find the user's modules and data where the driver does.
TUNE_ENVIRONMENT = {
    "TUNE_GLOBAL_CHECKPOINT_S": "600",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
}


# Bound by arithmetic: a second trial beside such a one gains nothing.
WHOLE_GPU_MODELS = ("resnet-34",)


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

    `memory_mb` is what all trials on a node may take together; None: what is free there. `node_seconds` is
    how long a node is ours; None: without limit.
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


def local_places(trials_per_gpu: int, memory_mb: float | None = None) -> Places:
    """Return the places of the one machine that Ray is initialised on."""
    total = ray.cluster_resources()  # type: ignore[no-untyped-call]
    places = places_of(total.get("CPU", 1), total.get("GPU", 0), trials_per_gpu)
    # Measured now: the processes of trials, once they are there, would take from it.
    return replace(places, memory_mb=memory_mb or available_mb())


def places_of(cpus: float, gpus: float, trials_per_gpu: int) -> Places:
    """Return the places of one machine: a model that fills a GPU gets one, others share."""
    shared, whole = share_of(cpus, gpus, trials_per_gpu), share_of(cpus, gpus, 1)
    return Places(lambda model: whole if model in WHOLE_GPU_MODELS else shared, shared.concurrent)


def resources_of(share: Share) -> dict[str, float]:
    """Return what Ray is to set aside for one trial with this share."""
    return {"CPU": share.cpus, **({"GPU": share.gpus} if share.gpus else {})}


def _resources(places: Places) -> Any:
    alike = {places.share_for(model) for model in MODELS}
    if len(alike) == 1:
        # A function of the config costs Tune milliseconds a trial.
        return tune.PlacementGroupFactory([resources_of(alike.pop())])
    return lambda config: tune.PlacementGroupFactory(
        [resources_of(places.share_for(config["trial"]["training"]["model"]))]
    )


def run_on_ray(
    queue: TrialQueue,
    results: ResultsFolder,
    sweep: str,
    worker: str,
    data_dir: Path | None,
    scratch: Path,
    places: Places,
    execute: str | None = None,
    allowance_minutes: float | None = None,
) -> None:
    """Run every waiting trial of `queue` on the Ray cluster that is already initialised.

    Those that lack memory are run a second time, in a round of their own where each gets more: to ask Ray
    for other resources with each trial would cost every one of them milliseconds. `scratch` takes Tune's own
    files. `execute` ("module:function") replaces the measurement, for benchmarks of the machinery.
    """
    os.environ.update(TUNE_ENVIRONMENT)
    parameters = {
        "results": str(results.root),
        "sweep": sweep,
        "worker": worker,
        "data_dir": None if data_dir is None else str(data_dir),
        "execute": execute,
        "memory_mb": places.memory_mb,
        "node_seconds": places.node_seconds,
        "allowance_minutes": allowance_minutes,
    }
    queue.has_more = places.has_more
    queue.is_overdue = overdue_judge(results, sweep, allowance_minutes)
    _run_round(queue, places, parameters, scratch)
    if queue.larger_round():
        _run_round(queue, places.larger(), parameters, scratch)


def _run_round(queue: TrialQueue, places: Places, parameters: dict[str, Any], scratch: Path) -> None:
    def part_of(trial: Trial) -> float:
        return 1 / places.share_for(trial.training.model).concurrent

    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(TrialActor, **parameters), _resources(places)),
        tune_config=tune.TuneConfig(
            search_alg=QueueSearcher(queue, part_of),
            scheduler=NewcomerScheduler(),  # type: ignore[no-untyped-call]
            num_samples=-1,
            max_concurrent_trials=places.concurrent,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="sweep",
            storage_path=str(scratch),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=0),
            callbacks=[],
        ),
    )
    tuner.fit()
