"""A Ray cluster of two nodes on this machine without Slurm: nodes that come back, as workers' jobs do.

`python -m tests.slurm.ray_cluster SWEEP RESULTS MINUTES` runs a sweep there as a driver that takes over from
another: submitted so many minutes ago. Each node is a process of its own.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from noisebench.engine.node import WORKER_VARIABLE, token_environment, write_token
from noisebench.engine.options import Cluster, Options
from noisebench.engine.run import run_sweep
from noisebench.engine.scratch import private_scratch
from noisebench.records.folders import ResultsFolder
from noisebench.slurm.ray_node import Join, head_node, worker_node
from noisebench.sweep.sweep import load_sweep

ADDRESS = "127.0.0.1"
NODES = 2


def node(head: str, name: str) -> None:
    """Join the head, again whenever this node of Ray has ended; each time under another name."""
    life = 0
    while True:
        life += 1
        worker = f"{name}-{life}"
        join = Join(head, ADDRESS, worker, 1, 0, 1.0, {WORKER_VARIABLE: worker})
        with worker_node(join) as ray_node:
            ray_node.process.wait()


def run(spec: Path, results: Path, submitted_at: datetime) -> None:
    """Run a sweep on a head and two nodes."""
    with private_scratch() as scratch:
        token = scratch / "token"
        write_token(token)
        os.environ.update(token_environment(token))

        @contextmanager
        def cluster() -> Iterator[Cluster]:
            with head_node(ADDRESS, scratch) as head:
                words = [sys.executable, "-m", "tests.slurm.ray_cluster", "node", head]
                for number in range(NODES):
                    subprocess.Popen([*words, f"node{number}"])
                yield Cluster(head, ADDRESS, NODES, cpus=1, gpus=0, trials_per_gpu={}, scratch=scratch)

        options = Options(cluster=cluster, submitted_at=submitted_at)
        outcome = run_sweep(load_sweep(spec), ResultsFolder(results), options)
        print(f"{outcome.completed} completed, {outcome.failed} failed, {outcome.unfinished} unfinished")


if __name__ == "__main__":
    if sys.argv[1] == "node":
        node(sys.argv[2], sys.argv[3])
    else:
        before = timedelta(minutes=float(sys.argv[3]))
        run(Path(sys.argv[1]), Path(sys.argv[2]), datetime.now(UTC) - before)
