"""Small JPEG images as base64 text, for a page that needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from noisebench.review.samples import Picture, Samples

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 128  # pixels, of the longer side
QUALITY = 80
SMALL, SMALL_QUALITY = 64, 95  # up to 64 pixels a side, artefacts would be seen, and bytes are few


def thumbnails(samples: Samples, rows: Sequence[int]) -> list[str | None]:
    """Return the images of these rows; None where there is none or it cannot be read."""
    picture = samples.picture
    if picture is None:
        return [None] * len(rows)
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda row: thumbnail(picture(row)), rows))


def thumbnail(picture: Picture) -> str | None:
    """Return one image as base64 JPEG, turned as its EXIF data say, on white where it is transparent."""
    from PIL import Image, ImageOps

    if picture is None:
        return None
    try:
        if isinstance(picture, Path):
            with Image.open(picture) as opened:
                opened.draft("RGB", (2 * SIDE, 2 * SIDE))  # decodes a JPEG at a fraction of its size
                image = _flat(ImageOps.exif_transpose(opened))
        else:
            image = _flat(Image.fromarray(_channels_last(picture)))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    if max(image.size) <= SMALL:
        image.save(buffer, "JPEG", quality=SMALL_QUALITY, subsampling=0)
    else:
        image.save(buffer, "JPEG", quality=QUALITY)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _flat(image: Image) -> Image:
    """Return the image in grey or RGB."""
    from PIL import Image

    if image.mode in ("L", "RGB"):
        return image.copy()
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float64)
        low, high = values.min(), values.max()
        return Image.fromarray(((values - low) / ((high - low) or 1) * 255).astype(np.uint8))
    rgba = image.convert("RGBA")
    page = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(page, rgba).convert("RGB")


def _channels_last(pixels: np.ndarray) -> np.ndarray:
    """Return [H, W] or [H, W, 3] of [H, W] or [C, H, W]; raise ValueError for other shapes."""
    if pixels.ndim == 2:
        return pixels
    if pixels.ndim != 3 or pixels.shape[0] not in (1, 3):
        raise ValueError(f"pixels are {list(pixels.shape)}, must be [H, W], [1, H, W] or [3, H, W]")
    return pixels[0] if pixels.shape[0] == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))
