"""How many events the driver handles in a second: trials handed out, ends, starts and losses of processes.

No-op trials run through the whole engine, two at a time; each is two events. With many trials out, each step
of Tune also waits for as many processes and looks through as many trials. These two are measured with calls
and trials that stand for them, and added: a process for each of 2,048 trials does not fit onto one machine.
All are CPU seconds of the driver's process, which has cores of its own on a cluster.
`python -m benchmarks.driver_rate [--live 2048]`
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from benchmarks.orchestration import in_new_process

NO_OP_TRIALS = 1000
EVENTS_OF_A_TRIAL = 2
REPEATS = 50


def events_per_second(lives: Iterable[int]) -> dict[int, float]:
    """Return how many events the driver handles in a second, by how many trials are out."""
    from noisebench.engine.ray_session import local_ray

    cpus = len(os.sched_getaffinity(0))
    trial = in_new_process("ours", NO_OP_TRIALS, cpus)["cpu_seconds"] / NO_OP_TRIALS
    base = trial / EVENTS_OF_A_TRIAL
    with local_ray(1, 0):
        return {live: 1 / (base + _wait_seconds(live) + _choose_seconds(live)) for live in lives}


class _Trials:
    """Stands for running trials: none of them has something to say."""

    async def run(self) -> None:
        await asyncio.Event().wait()


def _wait_seconds(live: int) -> float:
    """Return how long the driver waits for the next of so many processes if one has something to say."""
    import ray

    remote: Any = ray.remote(_Trials)
    trials = remote.options(num_cpus=0, max_concurrency=live + 1).remote()
    running = [trials.run.remote() for _ in range(live)]
    ended = ray.put(None)
    ray.wait([ended])
    seconds = _median(lambda: ray.wait([*running, ended], num_returns=1))
    ray.kill(trials)
    return seconds


def _choose_seconds(live: int) -> float:
    """Return how long the scheduler looks for a trial without a process among so many."""
    from ray.tune.experiment import Trial

    from noisebench.engine.scheduler import QueueScheduler

    trials = [Trial("trial", stub=True) for _ in range(live)]
    for trial in trials:
        trial.status = Trial.RUNNING
    controller: Any = SimpleNamespace(get_live_trials=lambda: trials, _trial_to_actor={})
    scheduler = QueueScheduler()
    return _median(lambda: scheduler.choose_trial_to_run(controller))


def _median(action: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        begun = time.process_time()
        action()
        seconds.append(time.process_time() - begun)
    return statistics.median(seconds)


def main() -> None:
    """Print the rate for each number of trials."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--live", type=int, nargs="+", default=[2, 256, 2048])
    for live, rate in events_per_second(parser.parse_args().live).items():
        print(f"{live:,} trials out: {rate:.0f} events a second")


if __name__ == "__main__":
    main()
