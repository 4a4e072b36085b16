"""One Ray Tune run over the queue, on the Ray this process is connected to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.progress_reporter import TrialProgressCallback

from noisebench.catalogue.models import MODELS
from noisebench.engine.overdue import overdue_judge
from noisebench.engine.places import Places, Share
from noisebench.engine.queue import TrialQueue
from noisebench.engine.scheduler import NewcomerScheduler
from noisebench.engine.searcher import QueueSearcher
from noisebench.engine.trainable import TrialActor
from noisebench.records.folders import ResultsFolder
from noisebench.sweep.trial import Trial

# Read by Tune when it starts. Its own state is never the source of truth: it is written rarely and
# thrown away. Trials must find the user's modules and data where the driver does.
TUNE_ENVIRONMENT = {
    "TUNE_GLOBAL_CHECKPOINT_S": "600",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
}


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


class _NoProgress(TrialProgressCallback):
    """Takes the place of Tune's own, which keeps every trial, though it prints none of them here."""

    def log_result(self, *_: Any, **__: Any) -> None:
        """Keep nothing."""

    def on_trial_complete(self, *_: Any, **__: Any) -> None:
        """Keep nothing."""


def _run_round(queue: TrialQueue, places: Places, parameters: dict[str, Any], scratch: Path) -> None:
    def part_of(trial: Trial) -> float:
        return 1 / places.share_for(trial.training.model).concurrent

    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(TrialActor, **parameters), _resources(places)),
        tune_config=tune.TuneConfig(
            search_alg=QueueSearcher(queue, part_of),
            scheduler=NewcomerScheduler(),
            num_samples=-1,
            max_concurrent_trials=places.concurrent,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="sweep",
            storage_path=str(scratch),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=0),
            # Nothing is to be saved; a node that cannot see this one's disk could not even save that.
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            callbacks=[_NoProgress()],
        ),
    )
    tuner.fit()
