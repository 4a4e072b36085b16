"""The partitions of a cluster, as sinfo shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from noisebench.slurm import commands


@dataclass(frozen=True)
class Nodes:
    """Nodes of one kind in one partition; `minutes` is the longest that a job may take there, None: any time.

    `gres` is what Slurm writes of a node's devices, such as gpu:v100:4(S:0-1).
    """

    partition: str
    is_default: bool
    minutes: int | None
    gres: str
    cpus: int
    memory_mb: int
    available: bool

    def gpus(self, kind: str | None) -> int:
        """Return how many GPUs a node has, of one kind or of any."""
        entries = re.sub(r"\([^)]*\)", "", self.gres).split(",")
        parts = [entry.split(":") for entry in entries if entry.startswith("gpu")]
        return sum(
            int(part[-1]) for part in parts if part[-1].isdecimal() and (not kind or kind in part[1:-1])
        )


def partitions() -> list[Nodes]:
    """Return the nodes of all partitions that this user sees; EnvironmentFault if Slurm does not answer."""
    return parsed(commands.call("sinfo", "--noheader", "--format=%P|%l|%G|%c|%m|%a").splitlines())


def parsed(lines: Iterable[str]) -> list[Nodes]:
    """Read lines of partition|time limit|devices|CPUs|MB|state; where nodes differ ("64+") the least."""
    found = []
    for line in lines:
        name, limit, gres, cpus, memory, state = line.strip().split("|")
        seconds = commands.duration(limit)
        found.append(
            Nodes(
                name.removesuffix("*"),
                name.endswith("*"),
                None if seconds is None else seconds // 60,
                gres,
                int(cpus.rstrip("+")),
                int(memory.rstrip("+")),
                state == "up",
            )
        )
    return found
