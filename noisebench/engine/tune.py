"""One Ray Tune run over the queue, on the Ray this process is connected to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune

from noisebench.engine.queue import TrialQueue
from noisebench.engine.searcher import QueueSearcher
from noisebench.engine.trainable import TrialActor
from noisebench.spec.catalogue import MODELS
from noisebench.trial.layout import ResultsFolder

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


@dataclass(frozen=True)
class Share:
    """What one trial gets of a machine; `concurrent` trials run at a time."""

    cpus: float
    gpus: float
    concurrent: int


@dataclass(frozen=True)
class Places:
    """What a trial of a model gets, by the model's name; at most `concurrent` are handed out at a time."""

    share_for: Callable[[str], Share]
    concurrent: int


def share_of(cpus: float, gpus: float, trials_per_gpu: int) -> Share:
    """Divide a machine among trials: one CPU thread each, or a part of a GPU each where there are GPUs."""
    if gpus < 1:
        return Share(1, 0, max(1, int(cpus)))
    concurrent = int(gpus) * trials_per_gpu
    return Share(min(1.0, cpus / concurrent), 1 / trials_per_gpu, concurrent)


def local_places(trials_per_gpu: int) -> Places:
    """Return the places of the one machine that Ray is initialised on."""
    total = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return places_of(total.get("CPU", 1), total.get("GPU", 0), trials_per_gpu)


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
) -> None:
    """Run every waiting trial of `queue` on the Ray cluster that is already initialised.

    `scratch` takes Tune's own files. `execute` ("module:function") replaces the measurement, for
    benchmarks of the machinery.
    """
    os.environ.update(TUNE_ENVIRONMENT)
    trainable = tune.with_parameters(
        TrialActor,
        results=str(results.root),
        sweep=sweep,
        worker=worker,
        data_dir=None if data_dir is None else str(data_dir),
        execute=execute,
    )
    tuner = tune.Tuner(
        tune.with_resources(trainable, _resources(places)),
        tune_config=tune.TuneConfig(
            search_alg=QueueSearcher(queue),
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
