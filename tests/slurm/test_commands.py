"""What Slurm's commands print, read."""

import pytest

from noisebench.slurm.commands import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:30", 30),
        ("4:59", 299),
        ("1:02:03", 3723),
        ("2-00:00:01", 172801),
        ("UNLIMITED", None),
        ("INVALID", None),
        ("", None),
    ],
)
def test_durations(text: str, seconds: int | None) -> None:
    assert duration(text) == seconds
