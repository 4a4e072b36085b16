"""How many GPUs a worker asks for, in each of the ways in which clusters write it."""

import pytest

from noisebench.slurm.job import gpu_kind, gpus_of
from noisebench.slurm.site import parse_site


@pytest.mark.parametrize(
    ("request_", "gpus"),
    [
        ("--gres=gpu", 1),
        ("--gres=gpu:4", 4),
        ("--gres=gpu:v100", 1),
        ("--gres=gpu:v100:4", 4),
        ("--gres=gpu:v100:2,gpu:a100:1,nvme:800", 3),
        ("--gpus-per-node=8", 8),
        ("--gpus-per-node=v100:2", 2),
        ("--gpus=v100:8", 8),
        ("--gpus-per-task=1", 1),
    ],
)
def test_gpus_of_a_worker(request_: str, gpus: int) -> None:
    site = parse_site(
        f'site: x\ndriver: {{minutes: 60}}\nworkers: {{minutes: 30, count: 1, gpu_request: "{request_}"}}\n',
        "x.yaml",
    )
    assert gpus_of(site.workers[0]) == gpus


def test_no_request_is_no_gpu() -> None:
    site = parse_site("site: x\ndriver: {minutes: 60}\nworkers: {minutes: 30, count: 1}\n", "x.yaml")
    assert gpus_of(site.workers[0]) == 0


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("--gres=gpu:v100:4", "v100"),
        ("--gres=gpu:4", None),
        ("--gres=gpu", None),
        ("--gres=gpu:a100", "a100"),
        ("--gpus-per-node=4", None),
        ("--gpus-per-node=v100:2", "v100"),
    ],
)
def test_the_kind_of_gpu_in_a_request(request_: str, kind: str | None) -> None:
    assert gpu_kind(request_) == kind
