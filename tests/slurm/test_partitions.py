"""What sinfo says of a cluster's nodes."""

import pytest

from noisebench.slurm.doctor import gpu_kind
from noisebench.slurm.partitions import Nodes, parsed

LINES = [
    "main*|infinite|gpu:v100:4|4|8000|up",
    "long|2-12:00:00|gpu:a100:8(S:0-1),gpu:t4:1,nvme:800|64+|257000+|up",
    "debug|30:00|(null)|8|16000|drain",
]


def test_partitions() -> None:
    main, long, debug = parsed(LINES)
    assert main == Nodes("main", True, None, "gpu:v100:4", 4, 8000, True)
    assert (long.minutes, long.cpus, long.memory_mb) == (60 * 60, 64, 257000)
    assert (debug.minutes, debug.available) == (30, False)


def test_gpus_of_a_kind() -> None:
    main, long, debug = parsed(LINES)
    assert [nodes.gpus(None) for nodes in (main, long, debug)] == [4, 9, 0]
    assert [long.gpus(kind) for kind in ("a100", "t4", "v100")] == [8, 1, 0]


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
def test_the_kind_that_is_asked_for(request_: str, kind: str | None) -> None:
    assert gpu_kind(request_) == kind
