"""A first profile of a cluster, from what Slurm shows of its partitions, limits and accounts."""

from __future__ import annotations

import re

from noisebench.errors import EnvironmentFault
from noisebench.slurm.client import Slurm
from noisebench.slurm.inventory import Associations, Nodes

DRIVER_MINUTES = 2880
WORKER_MINUTES = 720
# Memory and cores that keep one GPU fed.
MEMORY_GB_PER_GPU = 16
CPUS_PER_GPU = 4
DRIVER_MEMORY_GB = 4
# What the node's own system needs.
NODE_MEMORY_SHARE = 0.9
MAX_WORKERS = 8


def draft_site(name: str, user: str, slurm: Slurm) -> str:
    """Return the YAML of a profile for this cluster. Raises EnvironmentFault where Slurm does not answer."""
    nodes = [kind for kind in slurm.partitions() if kind.available]
    if not nodes:
        raise EnvironmentFault("sinfo shows no partition that is up")
    return render_site(name, nodes, slurm.associations(user), slurm.max_array_size())


def render_site(name: str, nodes: list[Nodes], mine: Associations, max_array_size: int | None) -> str:
    """Return the YAML of a profile: the largest GPU nodes for workers, nodes without GPUs for the driver."""
    worker = max(nodes, key=lambda kind: (kind.gpus(None) * kind.count, kind.gpus(None), kind.is_default))
    driver = min(nodes, key=lambda kind: (kind.gpus(None) > 0, -_minutes(kind, DRIVER_MINUTES)))
    lines = [
        "# From sinfo, scontrol and sacctmgr; slurm/sites/example-v100.yaml explains every field.",
        f"site: {re.sub('[^A-Za-z0-9._-]', '-', name).strip('-._') or 'cluster'}",
        *_account(mine),
        *_driver(driver, nodes),
        *_worker(worker, nodes),
        "# folders: {results: /shared/...}   # a file system that all nodes see, if not the current folder",
    ]
    if max_array_size is not None and max_array_size <= 1000:
        lines.append(f"limits: {{array_size: {max_array_size - 1}}}   # MaxArraySize - 1")
    return "\n".join(lines) + "\n"


def _account(mine: Associations) -> list[str]:
    if len(mine.accounts) < 2:
        return []
    account = mine.default_account or mine.accounts[0]
    return [f"account: {account}   # yours: {', '.join(mine.accounts)}"]


def _driver(node: Nodes, nodes: list[Nodes]) -> list[str]:
    memory_gb = min(DRIVER_MEMORY_GB, _usable_gb(node))
    minutes = _minutes(node, DRIVER_MINUTES)
    resources = f"cpus: {min(2, node.cpus)}, memory_gb: {memory_gb}, minutes: {minutes}"
    others = [kind.partition for kind in nodes if kind.partition != node.partition]
    comment = f"   # other partitions: {', '.join(dict.fromkeys(others))}" if others else ""
    return [f"driver: {{partition: {node.partition}, {resources}}}{comment}"]


def _worker(node: Nodes, nodes: list[Nodes]) -> list[str]:
    kinds = node.gpu_kinds()
    gpus = max(kinds.values(), default=0)
    cpus = min(node.cpus, CPUS_PER_GPU * gpus) if gpus else min(node.cpus, 8)
    if cpus == node.cpus and all(kind.gpus(None) for kind in nodes):
        # Without other nodes, the driver has to fit beside a worker.
        cpus = max(1, cpus - 2)
    memory_gb = min(_usable_gb(node), MEMORY_GB_PER_GPU * (gpus or 1))
    request = []
    if gpus:
        kind = max(kinds, key=lambda name: kinds[name])
        request = [f'  gpu_request: "--gres=gpu:{f"{kind}:" if kind else ""}{gpus}",   # all GPUs of a node']
    minutes, count = _minutes(node, WORKER_MINUTES), min(MAX_WORKERS, node.count)
    return [
        f"workers: {{   # a node there has {node.cpus} cores, {node.memory_mb // 1024} GiB, {node.gres}",
        f"  partition: {node.partition},",
        *request,
        f"  cpus: {cpus}, memory_gb: {memory_gb}, minutes: {minutes}, count: {count}   # of jobs",
        "}",
    ]


def _minutes(node: Nodes, wanted: int) -> int:
    return wanted if node.minutes is None else min(wanted, node.minutes)


def _usable_gb(node: Nodes) -> int:
    return max(1, int(NODE_MEMORY_SHARE * node.memory_mb / 1024))
