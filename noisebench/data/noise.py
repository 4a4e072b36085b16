"""Seeded noise images, for measurements without data files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

CLASSES = 10


def noise(
    data_dir: Path | None, *, count: int, channels: int, height: int, width: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], int]:
    """Return images uint8 [N, C, H, W], labels int64 [N], number of classes, as a user's function does."""
    del data_dir
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, channels, height, width), dtype=np.uint8)
    return images, np.arange(count) % CLASSES, CLASSES
