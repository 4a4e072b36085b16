"""How many GPUs a worker asks for, in each of the ways in which clusters write it."""

import pytest

from noisebench.slurm.job import gpus_per_node
from noisebench.slurm.site import parse_site


@pytest.mark.parametrize(
    ("asked", "nodes", "gpus"),
    [
        ("--gres=gpu", 1, 1),
        ("--gres=gpu:4", 1, 4),
        ("--gres=gpu:v100", 1, 1),
        ("--gres=gpu:v100:4", 2, 4),
        ("--gres=gpu:v100:2,gpu:a100:1,nvme:800", 1, 3),
        ("--gpus-per-node=8", 2, 8),
        ("--gpus-per-node=v100:2", 1, 2),
        ("--gpus=v100:8", 2, 4),
        ("--gpus-per-task=1", 1, 1),
    ],
)
def test_gpus_per_node(asked: str, nodes: int, gpus: int) -> None:
    site = parse_site(
        "site: x\ndriver: {minutes: 60}\n"
        f'worker: {{minutes: 30, count: 1, nodes_per_job: {nodes}, gpu_request: "{asked}"}}\n',
        "x.yaml",
    )
    assert gpus_per_node(site.worker) == gpus


def test_no_askedis_no_gpu() -> None:
    site = parse_site("site: x\ndriver: {minutes: 60}\nworker: {minutes: 30, count: 1}\n", "x.yaml")
    assert gpus_per_node(site.worker) == 0
