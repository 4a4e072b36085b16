"""Losses with one fault each."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import torch
from torch import Tensor

from noisebench.science.losses import cross_entropy


def raises(logits: Tensor, targets: Tensor) -> Tensor:
    raise ValueError("this loss is broken")


def is_nan(logits: Tensor, targets: Tensor) -> Tensor:
    return logits[:, 0] * float("nan")


def hangs(logits: Tensor, targets: Tensor) -> Tensor:
    time.sleep(600)
    return logits[:, 0]


def allocates_memory(logits: Tensor, targets: Tensor) -> Tensor:
    eaten = []
    while True:
        eaten.append(torch.ones(32 * 1024**2))  # 128 MB
        time.sleep(0.05)


def kills_its_node(logits: Tensor, targets: Tensor) -> Tensor:
    os.kill(os.getppid(), signal.SIGKILL)  # Ray's raylet; the nodes' health checks notice it
    time.sleep(600)
    return logits[:, 0]


def kills_its_job(logits: Tensor, targets: Tensor) -> Tensor:
    """Kill every process of its Slurm job, this one last: what a node that loses power leaves."""
    steps = f"slurmstepd: [{os.environ['SLURM_JOB_ID']}."
    daemons = [
        each
        for each in psutil.process_iter(["cmdline"])
        if " ".join(each.info["cmdline"] or []).startswith(steps)
    ]
    own = psutil.Process()
    processes = [each for daemon in daemons for each in daemon.children(recursive=True) if each != own]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    own.kill()
    return logits[:, 0]


def drains_its_node(logits: Tensor, targets: Tensor) -> Tensor:
    """Drain the node, as a worker that leaves does; only the first time."""
    drained = Path("drained")
    if not drained.exists():
        drained.touch()
        above = psutil.Process().parents()
        (start,) = (each for each in above if "ray.scripts.scripts" in each.cmdline())
        start.terminate()
        time.sleep(600)
    return cross_entropy(logits, targets)
