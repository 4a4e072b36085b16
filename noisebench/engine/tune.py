"""One Ray Tune run over the queue, on the Ray this process is connected to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.progress_reporter import TrialProgressCallback

from noisebench.engine.places import Places
from noisebench.engine.queue import TrialQueue
from noisebench.engine.scheduler import QueueScheduler
from noisebench.engine.searcher import QueueSearcher
from noisebench.engine.trainable import ActorSettings, TrialActor

# Read by Tune when it starts. Its own state is never the source of truth: it is written rarely and
# thrown away. Trials must find the user's modules and data where the driver does. A trial whose node leaves
# is the queue's to repeat, not Tune's.
TUNE_ENVIRONMENT = {
    "TUNE_GLOBAL_CHECKPOINT_S": "600",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_COUNT_PREEMPTION_AS_FAILURE": "1",
}


def run_on_ray(queue: TrialQueue, settings: ActorSettings, places: Places, scratch: Path) -> None:
    """Run every waiting trial of `queue` on the Ray cluster that is already initialised.

    Trials that lack memory are run a second time, in a round of their own where each gets more: to ask Ray
    for other resources with each trial would cost every one of them milliseconds. `scratch` takes Tune's own
    files.
    """
    os.environ.update(TUNE_ENVIRONMENT)
    if queue.waiting:
        _run_round(queue, settings, places, scratch)
    if queue.larger_round():
        _run_round(queue, settings, places.larger(), scratch)


def _run_round(queue: TrialQueue, settings: ActorSettings, places: Places, scratch: Path) -> None:
    searcher = QueueSearcher(queue, places)
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(TrialActor, settings=settings), _resources(places)),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=QueueScheduler(),
            num_samples=-1,
            max_concurrent_trials=places.max_concurrent,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="sweep",
            storage_path=str(scratch),
            verbose=0,
            stop=_StopWaiting(searcher),
            failure_config=tune.FailureConfig(max_failures=0),
            # Nothing is to be saved; a node that cannot see this one's disk could not even save that.
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            callbacks=[_ExplainLosses(queue)],
        ),
    )
    tuner.fit()


def _resources(places: Places) -> Any:
    shares = set(places.shares.values())
    if len(shares) == 1:
        # A function of the config costs Tune milliseconds for each trial.
        return tune.PlacementGroupFactory([shares.pop().resources()])
    return lambda config: tune.PlacementGroupFactory(
        [places.shares[config["trial"]["training"]["model"]].resources()]
    )


class _StopWaiting(tune.Stopper):
    """Ends the run once all trials have ended, though actors on leaving nodes still wait."""

    def __init__(self, searcher: QueueSearcher) -> None:
        self._searcher = searcher

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no single trial."""
        del trial_id, result
        return False

    def stop_all(self) -> bool:
        """Return whether the whole run is to end."""
        return self._searcher.is_done


class _ExplainLosses(TrialProgressCallback):
    """Lets the queue look at lost attempts at each step of Tune.

    It takes the place of Tune's own progress callback, which keeps every trial though it prints none here.
    """

    def __init__(self, queue: TrialQueue) -> None:
        super().__init__()
        self._queue = queue

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Settle or requeue the lost attempts whose cause is known by now."""
        self._queue.explain_losses()

    def log_result(self, *_: Any, **__: Any) -> None:
        """Keep nothing."""

    def on_trial_complete(self, *_: Any, **__: Any) -> None:
        """Keep nothing."""
