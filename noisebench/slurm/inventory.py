"""What a cluster offers, as Slurm's commands print it: nodes, accounts, times."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Nodes:
    """`count` nodes of one kind in one partition; `minutes` is the longest time limit there, None: no limit.

    `gres` is how Slurm writes a node's devices, such as gpu:v100:4(S:0-1).
    """

    partition: str
    is_default: bool
    minutes: int | None
    gres: str
    cpus: int
    memory_mb: int
    available: bool
    count: int = 1

    def gpus(self, kind: str | None) -> int:
        """Return how many GPUs a node has, of one kind or of any."""
        return sum(count for name, count in self.gpu_kinds().items() if kind in (None, "", name))

    def gpu_kinds(self) -> dict[str, int]:
        """Return how many GPUs a node has of each kind; "" is the kind of GPUs without a name."""
        kinds: dict[str, int] = {}
        for entry in re.sub(r"\([^)]*\)", "", self.gres).split(","):
            parts = entry.split(":")
            if parts[0] == "gpu" and parts[-1].isdecimal():
                name = parts[1] if len(parts) > 2 else ""
                kinds[name] = kinds.get(name, 0) + int(parts[-1])
        return kinds


@dataclass(frozen=True)
class Associations:
    """Accounts and qualities of service that accounting knows for this user; empty where there is none."""

    accounts: tuple[str, ...] = ()
    default_account: str | None = None
    qos: tuple[str, ...] = ()


def parse_nodes(lines: Iterable[str]) -> list[Nodes]:
    """Read lines of partition|time limit|devices|CPUs|MB|state|nodes; "64+" is the least of several."""
    nodes = []
    for line in lines:
        name, limit, gres, cpus, memory, state, count = line.strip().split("|")
        seconds = duration(limit)
        nodes.append(
            Nodes(
                name.removesuffix("*"),
                name.endswith("*"),
                None if seconds is None else seconds // 60,
                gres,
                int(cpus.rstrip("+")),
                int(memory.rstrip("+")),
                state == "up",
                int(count),
            )
        )
    return nodes


def duration(text: str) -> int | None:
    """Return the seconds of Slurm's [days-][hours:]minutes:seconds, None where it is no such thing."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def moment(text: str) -> datetime | None:
    """Return a local time that Slurm writes, None for Unknown, None, N/A and the like."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
