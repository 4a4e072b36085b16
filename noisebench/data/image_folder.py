"""A folder of images with one sub-folder for each class."""

from pathlib import Path

import numpy as np
import torch

from noisebench.data.cifar import Labels
from noisebench.errors import DataError
from noisebench.sweep.image_files import ENDINGS, image_files


def read_image_folder(
    folder: Path, channels: int, height: int, width: int
) -> tuple[torch.Tensor, Labels, list[str]]:
    """Return images uint8 [N, C, H, W], labels int64 [N], class names; classes and files in sorted order.

    Images are converted to grey (1 channel) or RGB (3), and resized if needed.
    """
    from PIL import Image

    if channels not in (1, 3):
        raise DataError(f"{folder}: channels is {channels}, must be 1 (grey) or 3 (RGB)")
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; it must hold one sub-folder of images a class")
    classes = image_files(folder)
    if len(classes) < 2:
        raise DataError(
            f"{folder}: holds {len(classes)} sub-folders; labels need one for each of at least two classes"
        )
    images, labels = [], []
    for label, (name, files) in enumerate(classes.items()):
        if not files:
            raise DataError(f"{folder / name}: holds no image ({', '.join(sorted(ENDINGS))})")
        for file in files:
            try:
                with Image.open(file) as image:
                    converted = image.convert("L" if channels == 1 else "RGB")
            except OSError as error:
                raise DataError(f"{file}: cannot be read as an image ({error})") from None
            if converted.size != (width, height):
                converted = converted.resize((width, height), Image.Resampling.BILINEAR)
            images.append(np.asarray(converted, dtype=np.uint8).reshape(height, width, channels))
            labels.append(label)
    pixels = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
    return torch.from_numpy(pixels), np.array(labels, dtype=np.int64), list(classes)
