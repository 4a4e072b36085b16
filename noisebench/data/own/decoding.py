"""Image files of any size and mode as uint8 arrays of one shape."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from noisebench.data.own.source import MIN_PIXELS

if TYPE_CHECKING:
    from PIL.Image import Image

# Small images of one size keep it; all others get this size, unless the user names one.
MAX_KEPT_PIXELS, DEFAULT_PIXELS = 64, 64
# EXIF's tag of the orientation.
_ORIENTATION = 0x0112
_GREY_MODES = {"1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F"}
# For the bits of masks and of floats up to 1, of usual cameras, scanners and files.
_HIGHEST = tuple((1 << bits) - 1 for bits in (1, 8, 10, 12, 14, 16, 24, 32))


@dataclass(frozen=True)
class Shape:
    """The shape of all images after decoding: 1 channel (grey) or 3 (RGB), height and width in pixels."""

    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class Form:
    """What all images become. `deep`: the files with more than 8 bits a value, which share one scale."""

    shape: Shape
    deep: tuple[Path, ...] = ()


def common_form(paths: Sequence[Path], size: int | None) -> Form:
    """Return the form for these files: grey if all are, and `size` pixels square if it is given.

    Without `size`, images of one small size keep it. Files that cannot be read do not count.
    """
    modes, sizes, deep = set[str](), set[tuple[int, int]](), []
    for path in paths:
        header = _header(path)
        if header is not None:
            modes.add(header[0])
            sizes.add(header[1])
            if _is_deep(header[0]):
                deep.append(path)
    channels = 1 if modes and modes <= _GREY_MODES else 3
    height = width = DEFAULT_PIXELS if size is None else size
    if size is None and len(sizes) == 1 and max(max(pair) for pair in sizes) <= MAX_KEPT_PIXELS:
        ((width, height),) = sizes
        width, height = max(width, MIN_PIXELS), max(height, MIN_PIXELS)
    return Form(Shape(channels, height, width), tuple(deep))


def highest_value(paths: Sequence[Path]) -> int:
    """Return the value that becomes 255 in all these images of more than 8 bits.

    It is the highest number of 1, 8, 10, 12, 14, 16, 24 or 32 bits, the first that no value exceeds. Files
    that cannot be read do not count.
    """
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        highest = max(pool.map(_highest, paths), default=0.0)
    return next((each for each in _HIGHEST if highest <= each), _HIGHEST[-1])


def decode(path: Path, shape: Shape, highest: int = 2**16 - 1) -> npt.NDArray[np.uint8]:
    """Return an image as uint8 [C, H, W], turned as EXIF says, cropped at its centre to the aspect of
    `shape`. Of more than 8 bits, the value `highest` becomes 255.

    Raises OSError, SyntaxError or ValueError for a file that is damaged or no image.
    """
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        # Such as a palette with transparency, or damaged EXIF; what matters is whether the pixels decode.
        warnings.simplefilter("ignore")
        with Image.open(path) as opened:
            # Lets libjpeg decode a large photo at a fraction of its size.
            opened.draft(None, (2 * shape.width, 2 * shape.height))
            opened.load()
            image = ImageOps.exif_transpose(opened)
            image = _as_8_bit(image, highest).convert("L" if shape.channels == 1 else "RGB")
    if image.size != (shape.width, shape.height):
        image = ImageOps.fit(image, (shape.width, shape.height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8).reshape(shape.height, shape.width, shape.channels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _is_deep(mode: str) -> bool:
    return mode[0] in "IF"


def _as_8_bit(image: Image, highest: int) -> Image:
    """Return an image of 16 or 32 bits a pixel with 8; Pillow's own conversion would cut values at 255."""
    if not _is_deep(image.mode):
        return image
    from PIL import Image

    values: npt.NDArray[Any] = np.nan_to_num(np.asarray(image, dtype=np.float64)) * (255 / highest)
    return Image.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8))


def _highest(path: Path) -> float:
    """Return the highest finite value of an image, 0 if it cannot be read."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                values: npt.NDArray[Any] = np.asarray(image, dtype=np.float64)
        return float(np.max(values, where=np.isfinite(values), initial=0))
    except Exception:  # as in _header
        return 0.0


def _header(path: Path) -> tuple[str, tuple[int, int]] | None:
    """Return an image's mode, and its (width, height) once turned; None if it cannot be read."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
                width, height = image.size
                return image.mode, (height, width) if turned else (width, height)
    except Exception:  # a damaged file can raise almost any exception; decoding reports it
        return None
