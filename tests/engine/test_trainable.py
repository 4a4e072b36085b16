"""What a node that is ours for a limited time can still hold."""

import pytest

from noisebench.engine.trainable import time_suffices


@pytest.mark.parametrize(
    ("seconds", "left", "whole", "suffices"),
    [
        (1e9, float("inf"), None, True),
        (800.0, 850.0, 1000.0, True),
        (800.0, 750.0, 1000.0, False),
        (950.0, 850.0, 1000.0, True),  # no other node could hold it either
        (950.0, 850.0, None, False),
        (10.0, -1.0, 1000.0, False),
    ],
    ids=["no limit", "enough", "too little", "never enough", "unknown whole", "overdue"],
)
def test_whether_work_fits(seconds: float, left: float, whole: float | None, suffices: bool) -> None:
    assert time_suffices(seconds, left, whole) is suffices
