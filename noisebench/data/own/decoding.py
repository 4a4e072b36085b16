"""Image files of any size and mode as uint8 arrays of one shape."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
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
# Headers of this many files, evenly spread, show whether the images are grey and of one size.
PROBED_FILES = 1000
# EXIF's tag of the orientation.
_ORIENTATION = 0x0112
_GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")


@dataclass(frozen=True)
class Shape:
    """The shape of all images after decoding: 1 channel (grey) or 3 (RGB), height and width in pixels."""

    channels: int
    height: int
    width: int


def common_shape(paths: Sequence[Path], size: int | None) -> Shape:
    """Return the shape for these files: grey if all are, and `size` pixels square if it is given.

    Without `size`, images of one small size keep it. Files that cannot be read do not count.
    """
    probed = paths[:: max(1, len(paths) // PROBED_FILES)]
    seen = {header for path in probed if (header := _header(path)) is not None}
    channels = 1 if seen and all(grey for grey, _ in seen) else 3
    sizes = {of_image for _, of_image in seen}
    if size is not None:
        return Shape(channels, size, size)
    if len(sizes) == 1 and max(max(pair) for pair in sizes) <= MAX_KEPT_PIXELS:
        ((width, height),) = sizes
        return Shape(channels, max(height, MIN_PIXELS), max(width, MIN_PIXELS))
    return Shape(channels, DEFAULT_PIXELS, DEFAULT_PIXELS)


def decode(path: Path, shape: Shape) -> npt.NDArray[np.uint8]:
    """Return an image as uint8 [C, H, W], turned as EXIF says, cropped at its centre to the aspect of
    `shape`.

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
            image = _as_8_bit(image).convert("L" if shape.channels == 1 else "RGB")
    if image.size != (shape.width, shape.height):
        image = ImageOps.fit(image, (shape.width, shape.height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8).reshape(shape.height, shape.width, shape.channels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _as_8_bit(image: Image) -> Image:
    """Return an image of 16 or 32 bits a pixel with 8; Pillow's own conversion would cut values at 255."""
    if image.mode[0] not in "IF":
        return image
    from PIL import Image

    values: npt.NDArray[Any] = np.asarray(image, dtype=np.float64)
    highest = values.max(initial=0)
    if image.mode == "F" and highest <= 1:
        values = values * 255
    elif highest > 255:
        values = values / 257
    return Image.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8))


def _header(path: Path) -> tuple[bool, tuple[int, int]] | None:
    """Return whether an image is grey, and its (width, height) once turned; None if it cannot be read."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
                width, height = image.size
                return image.mode in _GREY_MODES, (height, width) if turned else (width, height)
    except Exception:  # a damaged file can raise almost any exception; decoding reports it
        return None
