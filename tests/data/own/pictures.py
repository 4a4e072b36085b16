"""Small image folders for tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def picture(path: Path, value: int, size: tuple[int, int] = (10, 8), mode: str = "L") -> Path:
    """Write an image whose pixels all have one value, (width, height) large; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, value, value)).save(path)
    return path


def folder_of_two_classes(root: Path, samples: int = 6) -> Path:
    """Write `samples` different images for each of the classes cat and dog; return the folder."""
    for number in range(samples):
        picture(root / "cat" / f"{number}.png", 10 * number)
        picture(root / "dog" / f"{number}.png", 100 + 10 * number)
    return root


def checkers(root: Path, samples: int = 40, wrong: int = 4) -> tuple[Path, set[str]]:
    """Write noisy horizontal or vertical stripes; return the folder, and the ids with wrong labels."""
    rng = np.random.default_rng(0)
    ids = set()
    for number in range(samples):
        pixels = rng.integers(0, 60, (8, 8), dtype=np.uint8)
        horizontal = number % 2 == 0
        pixels[::2] += 150 * horizontal
        pixels[:, ::2] += 150 * (not horizontal)
        swapped = number < wrong
        name = "horizontal" if horizontal != swapped else "vertical"
        (root / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / name / f"{number:03}.png")
        if swapped:
            ids.add(f"{name}/{number:03}.png")
    return root, ids
