"""Losses as users should not write them; each harms in its own way."""

import os
import signal
import time

import torch
from torch import Tensor


def raises(logits: Tensor, targets: Tensor) -> Tensor:
    raise ValueError("this loss is broken")


def is_nan(logits: Tensor, targets: Tensor) -> Tensor:
    return logits[:, 0] * float("nan")


def hangs(logits: Tensor, targets: Tensor) -> Tensor:
    time.sleep(600)
    return logits[:, 0]


def eats_memory(logits: Tensor, targets: Tensor) -> Tensor:
    eaten = []
    while True:
        eaten.append(torch.ones(32 * 1024**2))  # 128 MB
        time.sleep(0.05)


def kills_its_node(logits: Tensor, targets: Tensor) -> Tensor:
    os.kill(os.getppid(), signal.SIGKILL)  # Ray's raylet; the nodes' health checks notice it
    time.sleep(600)
    return logits[:, 0]
