"""Pending trials brought to where they are run."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from noisebench.engine.options import Options
from noisebench.engine.progress import Progress
from noisebench.engine.queue import MOST_STARTS_IN_VAIN, TrialQueue
from noisebench.engine.stops import Stops
from noisebench.errors import EnvironmentFault
from noisebench.records import provenance
from noisebench.records.folders import ResultsFolder
from noisebench.records.heartbeats import heartbeat
from noisebench.sweep.trial import Trial


def run_pending(
    pending: list[Trial],
    sweep: str,
    results: ResultsFolder,
    options: Options,
    progress: Progress,
    stops: Stops,
    doubtful: Set[str] = frozenset(),
) -> None:
    """Run all of `pending` that `stops` lets run, here, on a cluster or on our own Ray, until interrupted.

    The `doubtful` among them were in flight when the driver before us died, and may complete without us.
    """
    worker = f"{provenance.host()}-{uuid.uuid4().hex[:12]}"
    queue = TrialQueue(pending, results, sweep, progress, stops)
    queue.doubtful = doubtful
    with heartbeat(results.sweep(sweep), worker):
        try:
            if options.inline:
                from noisebench.engine.inline import run_inline

                with _terminate_like_interrupt():
                    run_inline(queue, results, sweep, worker, options.data_dir, gpu=options.gpus != 0)
            else:
                _run_on_ray(queue, results, sweep, worker, options)
        except KeyboardInterrupt:
            pass  # the outcome says what is unfinished
        finally:
            queue.close()
    if queue.cannot_start:
        raise EnvironmentFault(
            f"{MOST_STARTS_IN_VAIN} processes in a row ended before their trials began: have all nodes the "
            "same noisebench, Python and packages? The driver's log says why they ended, `noisebench doctor "
            "--site` looks at the nodes"
        )


def _run_on_ray(queue: TrialQueue, results: ResultsFolder, sweep: str, worker: str, options: Options) -> None:
    from noisebench.engine.cluster import cluster_places, joined_ray, judge_of
    from noisebench.engine.local import local_ray
    from noisebench.engine.places import Places, local_places
    from noisebench.engine.tune import run_on_ray

    def run(scratch: Path, places: Places) -> None:
        run_on_ray(
            queue,
            results,
            sweep,
            worker,
            options.data_dir,
            scratch,
            places,
            options.execute,
            options.allowance_minutes,
        )

    # Ray takes SIGTERM for itself when it starts, so ours comes after.
    if options.cluster is None:
        with local_ray(options.cpus, options.gpus) as scratch, _terminate_like_interrupt():
            run(scratch, local_places(options.trials_per_gpu, options.memory_mb))
    else:
        queue.judge = judge_of(results, sweep)
        with options.cluster() as cluster, joined_ray(cluster) as scratch, _terminate_like_interrupt():
            run(scratch, cluster_places(cluster))


@contextmanager
def _terminate_like_interrupt() -> Iterator[None]:
    """Let SIGTERM end the run as Ctrl-C does: Tune and Python handle that one alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_: int, __: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
