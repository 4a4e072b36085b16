"""The Ray that a sweep runs on: started for it on this machine, or a cluster's that it joins."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray._private import ray_constants, services
from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

from noisebench.engine.node import OBJECT_STORE_BYTES, RAY_MEMORY_MB, token_environment, write_token
from noisebench.engine.options import Cluster, Options
from noisebench.engine.places import Places, places_of
from noisebench.engine.recovery import FindCause, cause_on_cluster, cause_on_this_machine
from noisebench.engine.scratch import private_scratch
from noisebench.records.folders import SweepFolder

# The first keeps Ray on the loopback interface, the second keeps CUDA_VISIBLE_DEVICES for trials without GPU.
LOCAL_VARIABLES = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
# The resources of each node, by the name of its worker.
Resources = dict[str, Mapping[str, float]]
# How long the answer to "which nodes are alive?" is used.
ALIVE_SECONDS = 1.0


@dataclass(frozen=True)
class RaySession:
    """A Ray to run on: a local folder for Tune's files, the places, and how the cause of a loss is found."""

    scratch: Path
    places: Places
    find_cause: FindCause
    poll_seconds: float


@contextmanager
def ray_session(options: Options, folder: SweepFolder, models: set[str]) -> Iterator[RaySession]:
    """Start Ray on this machine, or join the cluster of `options`, for trials of `models`."""
    if options.cluster is None:
        with local_ray(options.cpus, options.gpus) as scratch:
            yield RaySession(scratch, _local_places(options, models), cause_on_this_machine, 0.0)
        return
    with options.cluster() as cluster, _joined_ray(cluster) as scratch:
        find_cause = cause_on_cluster(folder, alive_workers, node_loss_seconds(os.environ))
        yield RaySession(scratch, _cluster_places(cluster, models), find_cause, ALIVE_SECONDS)


@contextmanager
def local_ray(cpus: int | None, gpus: int | None) -> Iterator[Path]:
    """Start Ray on this machine alone, yield a scratch folder; stop Ray and remove the folder at the end.

    `cpus` and `gpus` default to what this machine has. Ray listens on the loopback interface only and
    requires a token that is made for this run.
    """
    with private_scratch() as scratch:
        token = scratch / "token"
        write_token(token)
        with (
            _environment({**token_environment(token), **LOCAL_VARIABLES}),
            _loopback_only(),
            _own_process_groups(),
        ):
            _read_token_again()
            try:
                ray.init(
                    address="local",
                    num_cpus=cpus or len(os.sched_getaffinity(0)),
                    num_gpus=gpus,
                    include_dashboard=False,
                    object_store_memory=OBJECT_STORE_BYTES,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    _temp_dir=str(scratch / "ray"),
                )
                yield scratch / "tune"
            finally:
                ray.shutdown()


@contextmanager
def _joined_ray(cluster: Cluster) -> Iterator[Path]:
    """Connect this process to the cluster, yield a scratch folder, disconnect afterwards.

    Ray finds the token by RAY_AUTH_MODE and RAY_AUTH_TOKEN_PATH in the environment.
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


def _local_places(options: Options, models: set[str]) -> Places:
    """Return the places of the one machine that Ray was started on."""
    total = ray.cluster_resources()  # type: ignore[no-untyped-call]
    places = places_of(total.get("CPU", 1), total.get("GPU", 0), options.trials_per_gpu, models)
    return replace(places, memory_mb=options.memory_mb)


def _cluster_places(cluster: Cluster, models: set[str]) -> Places:
    """Return the places of a cluster's nodes: of those that are there, and of one more that may join."""
    places = places_of(cluster.cpus, cluster.gpus, cluster.trials_per_gpu, models, cluster.nodes)
    return replace(
        places,
        machines=lambda: min(cluster.nodes, _alive_machines(cluster) + 1),
        memory_mb=None if cluster.memory_mb is None else max(1, cluster.memory_mb - RAY_MEMORY_MB),
        machine_seconds=None if cluster.minutes is None else 60 * cluster.minutes,
    )


def node_loss_seconds(environment: Mapping[str, str]) -> float:
    """Return how long Ray's head may take to notice that a node is gone, by its health-check settings.

    Defaults are those of Ray 2.60. A node whose host no longer answers fails each check after the timeout,
    but then its trials are lost for the driver only when the head has noticed, too.
    """
    period, timeout, threshold = (
        float(environment.get(f"RAY_health_check_{name}", default))
        for name, default in (("period_ms", 3000), ("timeout_ms", 10000), ("failure_threshold", 5))
    )
    return (period * threshold + timeout) / 1000 + 5


def _alive_machines(cluster: Cluster) -> float:
    """Return how many of the cluster's nodes are there; a node with twice the GPUs counts as two."""
    unit, name = (cluster.gpus, "GPU") if cluster.gpus else (cluster.cpus, "CPU")
    return sum(resources.get(name, 0.0) for resources in _alive_resources().values()) / unit


def alive_workers() -> frozenset[str]:
    """Return the workers whose nodes are there."""
    return frozenset(_alive_resources())


def _remembered(ask: Callable[[], Resources], seconds: float) -> Callable[[], Resources]:
    """Return `ask` with its answer remembered for so many seconds."""
    asked_at, answer = float("-inf"), Resources()

    def remembered() -> Resources:
        nonlocal asked_at, answer
        if time.monotonic() - asked_at > seconds:
            asked_at, answer = time.monotonic(), ask()
        return answer

    return remembered


def _ask_alive_resources() -> Resources:
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    # The head has no resources and runs no trial.
    present = [node for node in nodes if node["Alive"] and node["Resources"].get("CPU")]
    return {node["NodeName"]: node["Resources"] for node in present}


_alive_resources = _remembered(_ask_alive_resources, ALIVE_SECONDS)


@contextmanager
def _loopback_only() -> Iterator[None]:
    """Let this process use the loopback address for its Ray, which reads the variable only on import."""
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


class _GroupPopen(services.ConsolePopen):
    """Starts a process in a process group of its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, process_group=0, **options)


@contextmanager
def _own_process_groups() -> Iterator[None]:
    """Keep signals to this process's group from Ray: without its raylet, Ray ends the driver at once.

    The driver then stops Ray itself, after it has recorded the ends of its attempts.
    """
    before = services.ConsolePopen
    services.ConsolePopen = _GroupPopen  # type: ignore[misc]
    try:
        yield
    finally:
        services.ConsolePopen = before  # type: ignore[misc]


def _read_token_again() -> None:
    """Let Ray forget the token mode and the token of an earlier session of this process."""
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
