"""A Ray of our own on this machine, gone without a trace when the sweep ends."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

OBJECT_STORE_BYTES = 100 * 1024**2
# Ray puts sockets into its folder, and a socket's path has at most 107 bytes.
MAX_SCRATCH_LENGTH = 40
_PREFIX = "noisebench-"


@contextmanager
def local_ray(cpus: int | None, gpus: int | None) -> Iterator[Path]:
    """Start Ray on this machine alone, yield a scratch folder, stop and remove both afterwards.

    `cpus` and `gpus` default to what this machine has. Never joins a cluster that is already there.
    """
    remove_abandoned_scratch()
    scratch = make_scratch()
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
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
        shutil.rmtree(scratch, ignore_errors=True)


def make_scratch() -> Path:
    """Make a private folder whose name says which process it belongs to, with a path short enough for Ray."""
    prefix = f"{_PREFIX}{os.getpid()}-"
    scratch = Path(tempfile.mkdtemp(prefix=prefix))
    if len(str(scratch)) <= MAX_SCRATCH_LENGTH:
        return scratch
    scratch.rmdir()
    return Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))


def remove_abandoned_scratch() -> None:
    """Remove what runs of this user left behind that were killed before they could tidy up."""
    for parent in {Path(tempfile.gettempdir()), Path("/tmp")}:
        for folder in parent.glob(f"{_PREFIX}*-*"):
            owner = folder.name.removeprefix(_PREFIX).split("-")[0]
            if (
                owner.isdecimal()
                and not Path(f"/proc/{owner}").exists()
                and folder.stat().st_uid == os.getuid()
            ):
                shutil.rmtree(folder, ignore_errors=True)
