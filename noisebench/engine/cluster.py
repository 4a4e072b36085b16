"""A Ray that others raised, joined for the length of a sweep."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import ray

from noisebench.engine.deaths import Death, leave_note, started_line
from noisebench.engine.options import Cluster
from noisebench.engine.places import RAY_MEMORY_MB, Places, places_of
from noisebench.records.folders import ResultsFolder

# How long it may take until it is known that a whole node went, not just the trial's process.
VERDICT_SECONDS = 5.0
# How long a worker that has to leave may take to say so: its trials can go before its word is written.
NOTE_SECONDS = 2.0


@contextmanager
def joined_ray(cluster: Cluster) -> Iterator[Path]:
    """Connect this process to the cluster, yield the scratch folder, disconnect afterwards.

    The token that admits us is found by Ray itself, through RAY_AUTH_MODE and RAY_AUTH_TOKEN_PATH.
    """
    ray.init(
        address=cluster.address,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _node_ip_address=cluster.own_address,
    )
    try:
        yield cluster.scratch / "tune"
    finally:
        ray.shutdown()


def cluster_places(cluster: Cluster) -> Places:
    """Return what a trial of each model gets of a node."""
    places = places_of(cluster.cpus, cluster.gpus, cluster.trials_per_gpu, cluster.nodes)
    memory_mb = None if cluster.memory_mb is None else max(1, cluster.memory_mb - RAY_MEMORY_MB)
    return replace(places, memory_mb=memory_mb, node_seconds=cluster.minutes and 60 * cluster.minutes)


def judge_of(results: ResultsFolder, sweep: str) -> Callable[[str], Death]:
    """Return a judge of lost attempts that looks whether the node they ran on is still there.

    A node that left or died is never held against the trial; a process that died on a node that lives on is.
    """
    gone: dict[str, Death] = {}

    def judge(attempt_id: str) -> Death:
        line = started_line(results, sweep, attempt_id)
        if line is None:
            return Death("node-lost", "the worker went before the trial began", counts=False, began=False)
        worker = line["worker"]
        # Looking takes seconds, in which nothing is handed out: once for all trials of a node.
        if worker not in gone:
            death = _look(results, sweep, worker)
            if death.counts:
                return death
            gone[worker] = death
        return gone[worker]

    return judge


def _look(results: ResultsFolder, sweep: str, worker: str) -> Death:
    begun = time.monotonic()
    while True:
        kind = leave_note(results, sweep, worker)
        if kind is not None:
            return Death(kind, f"the worker {worker} had to leave: {kind}", counts=False)
        waited = time.monotonic() - begun
        if waited > NOTE_SECONDS and not _is_alive(worker):
            return Death("node-lost", f"the worker {worker} was lost", counts=False)
        if waited > VERDICT_SECONDS:
            return Death("node-lost", "the trial's process died; tried again", counts=True)
        time.sleep(0.5)


def _is_alive(worker: str) -> bool:
    return any(node["Alive"] and node["NodeName"] == worker for node in ray.nodes())  # type: ignore[no-untyped-call]
