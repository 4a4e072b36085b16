"""A Ray of our own on this machine, gone without a trace when the sweep ends."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

from noisebench.engine.node import OBJECT_STORE_BYTES
from noisebench.engine.scratch import private_scratch


@contextmanager
def local_ray(cpus: int | None, gpus: int | None) -> Iterator[Path]:
    """Start Ray on this machine alone, yield a scratch folder, stop and remove both afterwards.

    `cpus` and `gpus` default to what this machine has. Never joins a cluster that is already there.
    """
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    with private_scratch() as scratch:
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
